variable "name" {
  description = "Name of the domain, its user and space, or of the notebook instance."
  type        = string
  nullable    = false

  # A lifecycle configuration's name is nine characters longer.
  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,53}$", var.name))
    error_message = "The workbench's name has 1 to 54 letters, digits and hyphens between them: ${var.name}"
  }
}

variable "kind" {
  description = "studio: a SageMaker Studio domain with one user and a private space; notebook: one notebook instance."
  type        = string
  default     = "studio"
  nullable    = false

  validation {
    condition     = contains(["studio", "notebook"], var.kind)
    error_message = "kind is ${var.kind}: studio or notebook."
  }
}

variable "instance_type" {
  description = "SageMaker instance type of the space's JupyterLab or of the notebook instance."
  type        = string
  default     = "ml.t3.medium"
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "${var.instance_type} is no SageMaker instance type: give one such as ml.t3.medium."
  }
}

variable "role_arn" {
  description = "ARN of the role that whoever works here has."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.role_arn))
    error_message = "role_arn is the ARN of a role, not ${var.role_arn}."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts volumes and the domain's file system."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key, not ${var.kms_key_arn}."
  }
}

variable "network" {
  description = "Where it runs: its interfaces are in these subnets, with these security groups; with internet_access, only the file system's."
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = optional(list(string), [])
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids) >= 1 && length(var.network.subnet_ids) <= 16
    error_message = "subnet_ids has ${length(var.network.subnet_ids)} subnets: 1 to 16."
  }

  validation {
    condition     = length(var.network.security_group_ids) <= 5
    error_message = "security_group_ids has ${length(var.network.security_group_ids)} groups: SageMaker takes 5 at most."
  }
}

variable "internet_access" {
  description = "Whether it runs in a network of SageMaker's own that leads to the internet; else it reaches what the subnets reach."
  type        = bool
  default     = false
  nullable    = false
}

variable "volume_size_gb" {
  description = "Size of the space's or the instance's volume."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.volume_size_gb >= 5 && var.volume_size_gb <= 100 && floor(var.volume_size_gb) == var.volume_size_gb
    error_message = "volume_size_gb is ${var.volume_size_gb}: 5 to 100."
  }
}

variable "idle_minutes" {
  description = "Minutes without use after which JupyterLab, or the notebook instance, is stopped."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.idle_minutes >= 60 && var.idle_minutes <= 1440 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "idle_minutes is ${var.idle_minutes}: 60, which is Studio's least, to 1440, a day."
  }
}

variable "repository" {
  description = "What is unpacked at the start: uri of a tar.gz in S3, which may bring a folder wheels for requirements-workbench.lock; directory in the home folder; variables of the environment of its kernel. Without a uri, nothing."
  type = object({
    uri       = optional(string, "")
    directory = optional(string, "image-classifier")
    variables = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.repository.uri == "" || can(regex("^s3://[a-z0-9.-]+/[a-zA-Z0-9/._=-]+\\.tar\\.gz$", var.repository.uri))
    error_message = "uri is the S3 address of a tar.gz, such as s3://bucket/code/repository.tar.gz, not ${var.repository.uri}."
  }

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]+$", var.repository.directory))
    error_message = "directory is one folder's name of letters, digits, _ and -: ${var.repository.directory}"
  }

  validation {
    condition     = alltrue([for name, value in var.repository.variables : can(regex("^[A-Z_]+=[a-zA-Z0-9._/-]+$", "${name}=${value}"))])
    error_message = "variables are names of capitals and _, each with a value of letters, digits and ._/-."
  }
}
