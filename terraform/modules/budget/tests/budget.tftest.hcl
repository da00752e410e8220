mock_provider "aws" {}

variables {
  name        = "image-classifier-dev"
  monthly_usd = 300
  tag         = { key = "Application", value = "image-classifier-dev" }
  topic_arn   = "arn:aws:sns:us-east-1:123456789012:image-classifier-dev-alarms"
}

run "default_alerts_include_the_forecast" {
  command = plan

  assert {
    condition     = [for n in aws_budgets_budget.this.notification : n.threshold if n.notification_type == "FORECASTED"] == [100]
    error_message = "An alert on the forecast must be a default."
  }

  assert {
    condition     = aws_budgets_budget.this.limit_amount == "300.00" && aws_budgets_budget.this.time_unit == "MONTHLY"
    error_message = "The budget must be monthly."
  }

  assert {
    condition     = one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Application$image-classifier-dev"])
    error_message = "Budgets takes a tag as user:KEY$VALUE."
  }
}

run "refuses_alerts_without_a_forecast" {
  command = plan

  variables {
    alerts = [{ percent = 100 }]
  }

  expect_failures = [var.alerts]
}

run "refuses_an_empty_list_of_alerts" {
  command = plan

  variables {
    alerts = []
  }

  expect_failures = [var.alerts]
}

run "refuses_an_alert_at_zero_percent" {
  command = plan

  variables {
    alerts = [{ percent = 0, forecast = true }]
  }

  expect_failures = [var.alerts]
}

run "refuses_a_budget_of_zero" {
  command = plan

  variables {
    monthly_usd = 0
  }

  expect_failures = [var.monthly_usd]
}

run "refuses_a_name_with_a_colon" {
  command = plan

  variables {
    name = "dev:image"
  }

  expect_failures = [var.name]
}
