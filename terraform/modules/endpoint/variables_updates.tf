variable "deployment" {
  description = <<-EOT
    How SageMaker updates the endpoint.

    traffic_shifting: all_at_once, canary (one step, then the rest), linear (equal steps) or rolling (batches, without a second fleet).
    step_percentage: Size of a step or batch in percent of the fleet.
    step_instances: Size of a step or batch in instances.
    wait_seconds: Seconds to watch each step.
    termination_wait_seconds: Seconds to keep the old fleet after the last step.
    maximum_execution_seconds: Seconds that the whole update may take; null: SageMaker's limit.
    rollback_thresholds: Thresholds of two alarms that watch only the new fleet and roll the update back; null: no such alarms.
    rollback_thresholds.error_percent: Percentage of its requests in a minute that fail with 5XX.
    rollback_thresholds.p99_ms: 99th percentile of its model's latency, in ms.
    rollback_alarm_names: Names of further CloudWatch alarms that roll the update back.
  EOT
  type = object({
    traffic_shifting          = optional(string, "all_at_once")
    step_percentage           = optional(number)
    step_instances            = optional(number)
    wait_seconds              = optional(number, 0)
    termination_wait_seconds  = optional(number, 60)
    maximum_execution_seconds = optional(number)
    rollback_alarm_names      = optional(list(string), [])
    rollback_thresholds = optional(object({
      error_percent = optional(number, 1)
      p99_ms        = optional(number, 2000)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["all_at_once", "canary", "linear", "rolling"], var.deployment.traffic_shifting)
    error_message = "deployment.traffic_shifting is ${var.deployment.traffic_shifting}: give all_at_once, canary, linear or rolling."
  }

  validation {
    condition = (
      length(compact([var.deployment.step_percentage, var.deployment.step_instances]))
      == (var.deployment.traffic_shifting == "all_at_once" ? 0 : 1)
    )
    error_message = "canary, linear and rolling need either deployment.step_percentage or step_instances; all_at_once takes neither."
  }

  validation {
    condition = var.deployment.step_percentage == null || (
      coalesce(var.deployment.step_percentage, 10) >= lookup({ linear = 10, rolling = 5 }, var.deployment.traffic_shifting, 1)
      && coalesce(var.deployment.step_percentage, 10) <= 50
    )
    error_message = "deployment.step_percentage must be 1 to 50 for canary, 10 to 50 for linear, 5 to 50 for rolling."
  }

  validation {
    condition = coalesce(var.deployment.step_instances, 1) >= 1 && (
      floor(coalesce(var.deployment.step_instances, 1)) == coalesce(var.deployment.step_instances, 1)
    )
    error_message = "deployment.step_instances must be a whole number, 1 or more. SageMaker takes at most half of the fleet."
  }

  validation {
    condition = alltrue([
      for seconds in [var.deployment.wait_seconds, var.deployment.termination_wait_seconds] :
      seconds >= 0 && seconds <= 3600
    ])
    error_message = "deployment.wait_seconds and termination_wait_seconds must be 0 to 3600."
  }

  validation {
    condition = var.deployment.maximum_execution_seconds == null || (
      coalesce(var.deployment.maximum_execution_seconds, 600) >= 600
      && coalesce(var.deployment.maximum_execution_seconds, 600) <= 28800
      && coalesce(var.deployment.maximum_execution_seconds, 600) > (
        var.deployment.termination_wait_seconds + var.deployment.wait_seconds * (
          contains(["linear", "rolling"], var.deployment.traffic_shifting) ? ceil(100 / coalesce(var.deployment.step_percentage, 50)) : 1
        )
      )
    )
    error_message = "deployment.maximum_execution_seconds must be 600 to 28800, and more than the sum of all waits."
  }

  validation {
    condition     = length(var.deployment.rollback_alarm_names) <= (var.deployment.rollback_thresholds == null ? 10 : 8)
    error_message = "deployment.rollback_alarm_names has ${length(var.deployment.rollback_alarm_names)} alarms: SageMaker takes at most 10, two of which are those of rollback_thresholds."
  }

  validation {
    condition     = var.hosting.serverless == null || var.deployment.traffic_shifting == "all_at_once"
    error_message = "A serverless endpoint cannot shift traffic in steps: set deployment.traffic_shifting = \"all_at_once\"."
  }
}

variable "deployed" {
  description = <<-EOT
    State of the endpoint before this deployment, which Terraform cannot read. Empty for a new endpoint.

    kept_configurations: Output kept_configurations of the last deployment, newest first.
    kept_configurations.key: Hash in the name of the endpoint configuration.
    kept_configurations.execution_role_arn: ARN of the containers' role.
    kept_configurations.network_isolation: Whether the containers are isolated from the network.
    kept_configurations.kms_key_arn: ARN of the key of the instances' volumes; null: none.
    kept_configurations.network: VPC of the containers; null: SageMaker's network.
    kept_configurations.network.subnet_ids: IDs of the subnets.
    kept_configurations.network.security_group_ids: IDs of the security groups.
    kept_configurations.data_capture: Data capture; null: off.
    kept_configurations.data_capture.uri: S3 URI of the captured data.
    kept_configurations.data_capture.kms_key_arn: ARN of the key of the captured data.
    kept_configurations.data_capture.sampling_percentage: Share of the requests that is captured.
    kept_configurations.asynchronous: Asynchronous inference; null: real time or serverless.
    kept_configurations.asynchronous.output_uri: S3 URI of responses.
    kept_configurations.asynchronous.failure_uri: S3 URI of failures.
    kept_configurations.asynchronous.kms_key_arn: ARN of the key of responses.
    kept_configurations.asynchronous.max_concurrent_invocations_per_instance: Requests sent to an instance at the same time; null: SageMaker chooses.
    kept_configurations.asynchronous.success_topic_arn: ARN of the SNS topic for successful requests; null: none.
    kept_configurations.asynchronous.error_topic_arn: ARN of the SNS topic for failed requests; null: none.
    kept_configurations.variants: Variants, the main one first.
    kept_configurations.variants.name: Name of the variant.
    kept_configurations.variants.model_name: Name of the SageMaker model.
    kept_configurations.variants.model_package_arn: ARN of the registered model version.
    kept_configurations.variants.weight: Weight of the variant's traffic.
    kept_configurations.variants.shadow: Whether it is a shadow variant.
    kept_configurations.variants.instance_type: SageMaker instance type; null: serverless.
    kept_configurations.variants.instance_count: Number of instances that it starts with; null: serverless.
    kept_configurations.variants.serverless: Serverless inference; null: on instances.
    kept_configurations.variants.serverless.memory_mb: Memory in MB.
    kept_configurations.variants.serverless.max_concurrency: Requests served at the same time.
    kept_configurations.variants.serverless.provisioned_concurrency: Requests served at the same time without a cold start.
    live: Key of the configuration that serves.
    instance_counts: Desired number of instances by variant.
    rollback_alarm_names: Names of the alarms of the last update; null: not known.
    alarms_in_alarm: Names of alarms that are in ALARM now. An update would be rolled back at once, so they are left out of it.
  EOT
  type = object({
    kept_configurations = optional(list(object({
      key                = string
      execution_role_arn = string
      network_isolation  = bool
      kms_key_arn        = optional(string)
      network = optional(object({
        subnet_ids         = list(string)
        security_group_ids = list(string)
      }))
      data_capture = optional(object({
        uri                 = string
        kms_key_arn         = string
        sampling_percentage = number
      }))
      asynchronous = optional(object({
        output_uri                              = string
        failure_uri                             = string
        kms_key_arn                             = string
        max_concurrent_invocations_per_instance = optional(number)
        success_topic_arn                       = optional(string)
        error_topic_arn                         = optional(string)
      }))
      variants = list(object({
        name              = string
        model_name        = string
        model_package_arn = string
        weight            = number
        shadow            = bool
        instance_type     = optional(string)
        instance_count    = optional(number)
        serverless = optional(object({
          memory_mb               = number
          max_concurrency         = number
          provisioned_concurrency = number
        }))
      }))
    })), [])
    live                 = optional(string, "")
    instance_counts      = optional(map(number), {})
    rollback_alarm_names = optional(list(string))
    alarms_in_alarm      = optional(list(string), [])
  })
  default  = {}
  nullable = false
}
