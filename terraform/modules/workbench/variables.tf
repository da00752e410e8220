variable "name" {
  description = "Name of the Studio domain, its user profile and space, or of the notebook instance."
  type        = string
  nullable    = false

  # The name of a lifecycle configuration adds nine characters.
  validation {
    condition     = can(regex("^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,53}$", var.name))
    error_message = "name is ${var.name}: use 1 to 54 letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "kind" {
  description = "studio: a SageMaker Studio domain with one user profile and a private space. notebook: one notebook instance."
  type        = string
  default     = "studio"
  nullable    = false

  validation {
    condition     = contains(["studio", "notebook"], var.kind)
    error_message = "kind is ${var.kind}: give studio or notebook."
  }
}

variable "instance_type" {
  description = "SageMaker instance type of JupyterLab in the space, or of the notebook instance."
  type        = string
  default     = "ml.t3.medium"
  nullable    = false

  validation {
    condition     = can(regex("^ml\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type is ${var.instance_type}: give a SageMaker instance type, such as ml.t3.medium."
  }
}

variable "role_arn" {
  description = "ARN of the role that notebooks run with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.role_arn))
    error_message = "role_arn is ${var.role_arn}: give the ARN of a role."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the volumes and the domain's file system."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn is ${var.kms_key_arn}: give the ARN of a key."
  }
}

variable "network" {
  description = <<-EOT
    Where it runs. With internet_access only the domain's file system is in this network.

    vpc_id: ID of the VPC.
    subnet_ids: IDs of the subnets of its network interfaces.
    security_group_ids: IDs of its security groups; at least one without internet_access.
  EOT
  type = object({
    vpc_id             = string
    subnet_ids         = list(string)
    security_group_ids = optional(list(string), [])
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids) >= 1 && length(var.network.subnet_ids) <= 16
    error_message = "network.subnet_ids has ${length(var.network.subnet_ids)} subnets: give 1 to 16."
  }

  validation {
    condition     = length(var.network.security_group_ids) <= 5
    error_message = "network.security_group_ids has ${length(var.network.security_group_ids)} groups: SageMaker takes at most 5."
  }
}

variable "internet_access" {
  description = "Whether it runs in a SageMaker-managed network with internet access; else it reaches what the subnets reach."
  type        = bool
  default     = false
  nullable    = false
}

variable "volume_size_gb" {
  description = "Size of the home volume in GiB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.volume_size_gb >= 5 && var.volume_size_gb <= 100 && floor(var.volume_size_gb) == var.volume_size_gb
    error_message = "volume_size_gb is ${var.volume_size_gb}: give a whole number from 5 to 100."
  }
}

variable "idle_minutes" {
  description = "Minutes without activity after which JupyterLab, or the notebook instance, is stopped."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.idle_minutes >= 60 && var.idle_minutes <= 1440 && floor(var.idle_minutes) == var.idle_minutes
    error_message = "idle_minutes is ${var.idle_minutes}: give 60, Studio's minimum, to 1440 (a day)."
  }
}

variable "repository" {
  description = <<-EOT
    Repository to unpack at the first start.

    uri: S3 URI of a tar.gz, which may contain a folder wheels for requirements-workbench.lock; empty: nothing is unpacked.
    directory: Folder in the home folder to unpack it to.
    variables: Environment variables of the repository's Jupyter kernel.
  EOT
  type = object({
    uri       = optional(string, "")
    directory = optional(string, "image-classifier")
    variables = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.repository.uri == "" || can(regex("^s3://[a-z0-9.-]+/[a-zA-Z0-9/._=-]+\\.tar\\.gz$", var.repository.uri))
    error_message = "repository.uri is ${var.repository.uri}: give the S3 URI of a tar.gz, such as s3://bucket/code/repository.tar.gz."
  }

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]+$", var.repository.directory))
    error_message = "repository.directory is ${var.repository.directory}: give the name of one folder, with letters, digits, _ and -."
  }

  validation {
    condition     = alltrue([for name, value in var.repository.variables : can(regex("^[A-Z_]+=[a-zA-Z0-9._/-]+$", "${name}=${value}"))])
    error_message = "repository.variables takes names of upper-case letters and _, and values of letters, digits and ._/-."
  }
}
