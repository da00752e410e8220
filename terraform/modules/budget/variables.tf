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
  description = "What a month may cost, in USD."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_usd > 0
    error_message = "A budget is above 0 USD."
  }
}

variable "tag" {
  description = "Cost-allocation tag of what counts, from the day on which it is activated in the account's billing settings. One only: Budgets takes several as any of them."
  type = object({
    key   = string
    value = string
  })
  nullable = false
}

variable "alerts" {
  description = "When to tell: percent of the budget, reached or forecast for the month."
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
    error_message = "An alert's percent is above 0, and at most 1000."
  }

  validation {
    condition     = anytrue([for alert in var.alerts : alert.forecast])
    error_message = "At least one alert must be on the forecast: the others come when the money is spent."
  }
}

variable "topic_arn" {
  description = "ARN of the SNS topic that is told; its policy must let AWS Budgets publish."
  type        = string
  nullable    = false
}
