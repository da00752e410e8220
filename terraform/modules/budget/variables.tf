variable "name" {
  description = "Name of the budget."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^:\\\\]{1,100}$", var.name))
    error_message = "A budget's name has 1 to 100 characters, without : and \\."
  }
}

variable "monthly_usd" {
  description = "Limit of a month, in USD."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_usd > 0
    error_message = "monthly_usd is ${var.monthly_usd}: it must be more than 0."
  }
}

variable "tag" {
  description = <<-EOT
    Cost-allocation tag of the resources that count, from the day it is activated in the account's billing settings. Budgets combines several tags with OR, so this takes one.

    key: Name of the tag.
    value: Value of the tag.
  EOT
  type = object({
    key   = string
    value = string
  })
  nullable = false
}

variable "alerts" {
  description = <<-EOT
    When to notify.

    percent: Percentage of the budget.
    forecast: Whether the percentage applies to the forecast for the month, not to the actual cost.
  EOT
  type = list(object({
    percent  = number
    forecast = optional(bool, false)
  }))
  default  = [{ percent = 80 }, { percent = 100 }, { percent = 100, forecast = true }]
  nullable = false

  validation {
    condition     = length(var.alerts) >= 1 && length(var.alerts) <= 5
    error_message = "A budget has 1 to 5 alerts."
  }

  validation {
    condition     = alltrue([for alert in var.alerts : alert.percent > 0 && alert.percent <= 1000])
    error_message = "An alert's percent must be more than 0 and at most 1000."
  }

  validation {
    condition     = anytrue([for alert in var.alerts : alert.forecast])
    error_message = "Set forecast = true for at least one alert: the others come after the money is spent."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic that gets the alerts; its policy must let AWS Budgets publish."
  type        = string
  nullable    = false
}
