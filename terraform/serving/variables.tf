variable "project" {
  description = "Name of the project, as in the foundation stack."
  type        = string
  default     = "image-classifier"
  nullable    = false
}

variable "environment" {
  description = "Name of the environment, as in the foundation stack."
  type        = string
  nullable    = false
}

variable "region" {
  description = "AWS region, as in the foundation stack."
  type        = string
  nullable    = false
}

variable "endpoint_name" {
  description = "Name of the endpoint: <project>-<environment>, or that with a suffix for another beside it."
  type        = string
  nullable    = false

  validation {
    condition = (
      var.endpoint_name == "${var.project}-${var.environment}"
      || startswith(var.endpoint_name, "${var.project}-${var.environment}-")
    )
    error_message = "The endpoint's name must start with ${var.project}-${var.environment}: the roles are scoped to that."
  }
}

variable "model_package_arn" {
  description = "ARN of the registered model version to serve."
  type        = string
  nullable    = false
}

variable "hosting" {
  description = "How the endpoint serves, one of: instance (real time, on instances), serverless, asynchronous (requests and answers in S3, on instances, which may be none)."
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
  default  = { instance = { type = "ml.m5.large" } }
  nullable = false

  validation {
    condition     = startswith(try(var.hosting.asynchronous.prefix, "async/"), "async/")
    error_message = "Asynchronous answers go to async/ or below: the endpoint's role may write nowhere else."
  }
}

variable "variants" {
  description = "Another model beside the main one: second takes a whole percentage of the requests (A/B test), shadow gets a copy of a whole percentage of them, and nobody sees its answers."
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
}

variable "data_capture" {
  description = "Keeps a whole percentage of requests and answers as JSON lines in the bucket, encrypted, under prefix."
  type = object({
    enabled             = optional(bool, false)
    sampling_percentage = optional(number, 100)
    prefix              = optional(string, "capture/")
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.data_capture.prefix, "capture/")
    error_message = "Captured data goes to capture/ or below: the endpoint's role may write nowhere else."
  }
}

variable "autoscaling" {
  description = "Follows the load between two instance counts, each production variant for itself: target tracking on invocations per instance and minute, or on concurrent requests per model if that target is given, or on the backlog of an asynchronous endpoint; schedules change the bounds. Cooldowns in seconds."
  type = object({
    enabled                              = optional(bool, true)
    min_capacity                         = optional(number, 1)
    max_capacity                         = optional(number, 3)
    target_invocations_per_instance      = optional(number, 600)
    target_concurrent_requests_per_model = optional(number)
    target_backlog_per_instance          = optional(number, 5)
    scale_in_cooldown                    = optional(number, 30)
    scale_out_cooldown                   = optional(number, 300)
    schedules = optional(list(object({
      name         = string
      schedule     = string
      timezone     = optional(string, "UTC")
      min_capacity = optional(number)
      max_capacity = optional(number)
    })), [])
  })
  default  = {}
  nullable = false
}

variable "deployment" {
  description = "Updates: traffic_shifting all_at_once, canary (one step, then the rest), linear (steps) or rolling (batches, which need no second fleet); a step or batch as a percentage of the fleet or a number of instances; seconds to watch each step and to keep the old fleet; a limit in seconds for all of it; names of alarms that roll back."
  type = object({
    traffic_shifting          = optional(string, "all_at_once")
    step_percentage           = optional(number)
    step_instances            = optional(number)
    wait_seconds              = optional(number, 0)
    termination_wait_seconds  = optional(number, 60)
    maximum_execution_seconds = optional(number)
    rollback_alarm_names      = optional(list(string), [])
  })
  default  = {}
  nullable = false
}

variable "deployed" {
  description = "What is there before this deployment, as the tasks read it from the output generations and the live endpoint: generations, newest first; key of the one that serves; instances of each variant. Empty for a new endpoint."
  type = object({
    generations = optional(list(object({
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
    live            = optional(string, "")
    instance_counts = optional(map(number), {})
  })
  default  = {}
  nullable = false
}

variable "lambda" {
  description = "The inference function: its zip, its size, how much of it is kept warm (by schedules at times), its share of the account's concurrency, what becomes of failed events, ways to it beside Invoke, and which pictures it accepts."
  type = object({
    zip_path                = string
    architecture            = optional(string, "x86_64")
    memory_mb               = optional(number, 256)
    timeout_seconds         = optional(number, 60)
    provisioned_concurrency = optional(number, 2)
    schedules = optional(list(object({
      name                    = string
      schedule                = string
      timezone                = optional(string, "UTC")
      provisioned_concurrency = number
    })), [])
    reserved_concurrency = optional(number)
    dead_letter_queue    = optional(bool, true)
    tracing              = optional(bool, true)
    access = optional(object({
      function_url = optional(bool, false)
      http_api = optional(object({
        enabled     = optional(bool, false)
        burst_limit = optional(number, 20)
        rate_limit  = optional(number, 10)
      }), {})
    }), {})
    max_image_bytes   = optional(number, 4500000)
    allowed_url_hosts = optional(list(string), [])
    image_prefix      = optional(string, "datasets/")
    log_level         = optional(string, "INFO")
  })
  nullable = false

  validation {
    condition     = var.lambda.max_image_bytes >= 1 && var.lambda.max_image_bytes <= 4500000
    error_message = "max_image_bytes may be 4500000: larger pictures do not fit Lambda's 6 MB payload as base64."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.lambda.log_level)
    error_message = "log_level is DEBUG, INFO, WARNING or ERROR."
  }
}

variable "logs" {
  description = "Log groups: days they keep entries."
  type = object({
    retention_days = optional(number, 365)
  })
  default  = {}
  nullable = false
}

variable "boundary_arn" {
  description = "ARN of the policy that bounds the roles of the environment, made by the access stack; empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "tags" {
  description = "Tags of everything, beside Project, Environment, Stack and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for value in values(var.tags) : can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,256}$", value))])
    error_message = "A tag's value has 1 to 256 letters, digits, spaces and _.:/=+@-."
  }
}

variable "observability" {
  description = "Alarms: errors in percent of a minute's requests, 99th percentiles of latencies in ms, minutes without a request (0: never); and whether to make a dashboard."
  type = object({
    endpoint_error_percent = optional(number, 1)
    endpoint_p99_ms        = optional(number, 2000)
    function_error_percent = optional(number, 1)
    function_p99_ms        = optional(number, 5000)
    silent_minutes         = optional(number, 60)
    dashboard              = optional(bool, true)
  })
  default  = {}
  nullable = false
}
