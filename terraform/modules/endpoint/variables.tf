variable "name" {
  description = "Name of the endpoint; the names of its models and configurations start with it."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.name) <= 54 && can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", var.name))
    error_message = "name is ${var.name}: use at most 54 letters, digits and hyphens. SageMaker takes 63, and a hash is added."
  }
}

variable "model_package_arn" {
  description = "ARN of the registered model version to serve."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:sagemaker:[^:]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", var.model_package_arn))
    error_message = "model_package_arn must be the ARN of a version in a model package group: arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION."
  }
}

variable "execution_role_arn" {
  description = "ARN of the role of the model's containers."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the instances' volumes, the logs, captured data and asynchronous responses."
  type        = string
  nullable    = false
}

variable "bucket" {
  description = "Name of the bucket for captured data and asynchronous responses."
  type        = string
  nullable    = false
}

variable "hosting" {
  description = <<-EOT
    How the endpoint serves. Set exactly one of the three.

    instance: Real-time inference on instances.
    instance.type: SageMaker instance type, such as ml.m5.large.
    instance.initial_count: Number of instances that each variant starts with.
    serverless: Serverless inference.
    serverless.memory_mb: Memory in MB: 1024, 2048, 3072, 4096, 5120 or 6144.
    serverless.max_concurrency: Requests served at the same time.
    serverless.provisioned_concurrency: Requests served at the same time without a cold start.
    asynchronous: Asynchronous inference: requests and responses are objects in S3.
    asynchronous.instance_type: SageMaker instance type.
    asynchronous.initial_count: Number of instances that each variant starts with.
    asynchronous.prefix: Prefix in the bucket for responses and failures, with / at its end.
    asynchronous.max_concurrent_invocations_per_instance: Requests sent to an instance at the same time; null: SageMaker chooses.
    asynchronous.success_topic_arn: ARN of the SNS topic for successful requests; null: none.
    asynchronous.error_topic_arn: ARN of the SNS topic for failed requests; null: none.
  EOT
  type = object({
    instance = optional(object({
      type          = string
      initial_count = optional(number, 1)
    }))
    serverless = optional(object({
      memory_mb               = optional(number, 4096)
      max_concurrency         = optional(number, 5)
      provisioned_concurrency = optional(number, 0)
    }))
    asynchronous = optional(object({
      instance_type                           = string
      initial_count                           = optional(number, 1)
      prefix                                  = optional(string, "async/")
      max_concurrent_invocations_per_instance = optional(number)
      success_topic_arn                       = optional(string)
      error_topic_arn                         = optional(string)
    }))
  })
  nullable = false

  validation {
    condition     = length([for kind, settings in var.hosting : kind if settings != null]) == 1
    error_message = "Set exactly one of hosting.instance, hosting.serverless and hosting.asynchronous."
  }

  validation {
    condition = alltrue([
      for type in compact([try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)]) :
      can(regex("^ml\\.[a-z][a-z0-9-]*\\.[a-z0-9]+$", type))
    ])
    error_message = "The instance type in hosting must be a SageMaker type, such as ml.m5.large."
  }

  validation {
    condition = alltrue([
      for count in [try(var.hosting.instance.initial_count, 1), try(var.hosting.asynchronous.initial_count, 1)] :
      count >= 1 && floor(count) == count
    ])
    error_message = "initial_count in hosting must be a whole number, 1 or more."
  }

  validation {
    condition     = contains([1024, 2048, 3072, 4096, 5120, 6144], try(var.hosting.serverless.memory_mb, 1024))
    error_message = "hosting.serverless.memory_mb must be 1024, 2048, 3072, 4096, 5120 or 6144."
  }

  validation {
    condition = (
      try(var.hosting.serverless.max_concurrency, 1) >= 1 && try(var.hosting.serverless.max_concurrency, 1) <= 200
      && try(var.hosting.serverless.provisioned_concurrency, 0) >= 0
      && try(var.hosting.serverless.provisioned_concurrency <= var.hosting.serverless.max_concurrency, true)
    )
    error_message = "Serverless concurrency must satisfy 0 <= provisioned_concurrency <= max_concurrency and 1 <= max_concurrency <= 200."
  }

  validation {
    condition = (
      try(coalesce(var.hosting.asynchronous.max_concurrent_invocations_per_instance, 1), 1) >= 1
      && try(coalesce(var.hosting.asynchronous.max_concurrent_invocations_per_instance, 1), 1) <= 1000
    )
    error_message = "max_concurrent_invocations_per_instance must be 1 to 1000, or null to let SageMaker choose."
  }

  validation {
    condition     = can(regex("^([a-zA-Z0-9_.-]+/)+$", try(var.hosting.asynchronous.prefix, "async/")))
    error_message = "hosting.asynchronous.prefix must look like async/."
  }
}

variable "variants" {
  description = <<-EOT
    A second model next to the main one. Set at most one of the two.

    second: A production variant that serves a share of the requests (A/B test).
    second.model_package_arn: ARN of its registered model version.
    second.traffic_percentage: Share of the requests in percent, a whole number.
    shadow: A shadow variant that gets copies of requests; its responses are dropped.
    shadow.model_package_arn: ARN of its registered model version.
    shadow.sampling_percentage: Share of the requests to copy in percent, a whole number.
    shadow.instance_count: Number of instances; a shadow variant does not scale.
  EOT
  type = object({
    second = optional(object({
      model_package_arn  = string
      traffic_percentage = number
    }))
    shadow = optional(object({
      model_package_arn   = string
      sampling_percentage = optional(number, 100)
      instance_count      = optional(number, 1)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.variants.second == null || var.variants.shadow == null
    error_message = "SageMaker takes a second production variant or a shadow variant, not both: remove variants.second or variants.shadow."
  }

  # The provider reads fractional weights back changed and would replace the configuration at every apply
  # (terraform-provider-aws#43643).
  validation {
    condition = alltrue([
      for percentage in [try(var.variants.second.traffic_percentage, 1)] :
      floor(percentage) == percentage && percentage >= 1 && percentage <= 99
    ])
    error_message = "traffic_percentage must be a whole number from 1 to 99: fractional weights would replace the configuration at every apply."
  }

  validation {
    condition = alltrue([
      for percentage in [try(var.variants.shadow.sampling_percentage, 1)] :
      floor(percentage) == percentage && percentage >= 1 && percentage <= 100
    ])
    error_message = "sampling_percentage must be a whole number from 1 to 100: fractional weights would replace the configuration at every apply."
  }

  validation {
    condition = (
      try(var.variants.shadow.instance_count, 1) >= 1
      && floor(try(var.variants.shadow.instance_count, 1)) == try(var.variants.shadow.instance_count, 1)
    )
    error_message = "variants.shadow.instance_count must be a whole number, 1 or more."
  }

  validation {
    condition     = var.hosting.serverless == null || (var.variants.second == null && var.variants.shadow == null)
    error_message = "A serverless endpoint has one variant: remove variants.second and variants.shadow, or serve on instances."
  }

  validation {
    condition     = var.hosting.asynchronous == null || var.variants.shadow == null
    error_message = "An asynchronous endpoint has no shadow variant: remove variants.shadow, or serve in real time."
  }

  validation {
    condition = alltrue([
      for arn in compact([try(var.variants.second.model_package_arn, null), try(var.variants.shadow.model_package_arn, null)]) :
      can(regex("^arn:[^:]+:sagemaker:[^:]+:[0-9]{12}:model-package/[^/]+/[0-9]+$", arn))
    ])
    error_message = "model_package_arn in variants must be the ARN of a version in a model package group: arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/VERSION."
  }
}

variable "data_capture" {
  description = <<-EOT
    Capture of requests and responses in the bucket, encrypted, as JSON lines.

    enabled: Whether to capture.
    sampling_percentage: Share of the requests to capture in percent, a whole number.
    prefix: Prefix in the bucket, with / at its end.
  EOT
  type = object({
    enabled             = optional(bool, false)
    sampling_percentage = optional(number, 100)
    prefix              = optional(string, "capture/")
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.data_capture.enabled || var.hosting.serverless == null
    error_message = "A serverless endpoint cannot capture data: set data_capture.enabled = false, or serve on instances."
  }

  validation {
    condition = (
      floor(var.data_capture.sampling_percentage) == var.data_capture.sampling_percentage
      && var.data_capture.sampling_percentage >= 1 && var.data_capture.sampling_percentage <= 100
    )
    error_message = "data_capture.sampling_percentage must be a whole number from 1 to 100."
  }

  validation {
    condition     = can(regex("^([a-zA-Z0-9_.-]+/)+$", var.data_capture.prefix))
    error_message = "data_capture.prefix must look like capture/."
  }
}

variable "network" {
  description = <<-EOT
    VPC of the containers. Both lists empty: SageMaker's network. Network isolation applies in both cases.

    subnet_ids: IDs of private subnets.
    security_group_ids: IDs of security groups.
  EOT
  type = object({
    subnet_ids         = optional(list(string), [])
    security_group_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = (length(var.network.subnet_ids) == 0) == (length(var.network.security_group_ids) == 0)
    error_message = "Set both network.subnet_ids and network.security_group_ids, or neither."
  }

  validation {
    condition     = length(var.network.subnet_ids) == 0 || var.hosting.serverless == null
    error_message = "A serverless endpoint cannot run in a VPC: remove network.subnet_ids, or serve on instances."
  }
}

variable "log_retention_days" {
  description = "Days that the endpoint's log group keeps entries."
  type        = number
  default     = 365
  nullable    = false
}
