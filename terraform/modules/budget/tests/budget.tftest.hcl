mock_provider "aws" {}

variables {
  name        = "image-classifier-dev"
  monthly_usd = 300
  tag         = { key = "Application", value = "image-classifier-dev" }
  topic_arn   = "arn:aws:sns:us-east-1:123456789012:image-classifier-dev-alarms"
}

run "forecast_is_told_by_default" {
  command = plan

  assert {
    condition     = [for n in aws_budgets_budget.this.notification : n.threshold if n.notification_type == "FORECASTED"] == [100]
    error_message = "The forecast is told while there is still something to save."
  }

  assert {
    condition     = aws_budgets_budget.this.limit_amount == "300.00" && aws_budgets_budget.this.time_unit == "MONTHLY"
    error_message = "The budget is for a month."
  }

  assert {
    condition     = one(aws_budgets_budget.this.cost_filter).values == tolist(["user:Application$image-classifier-dev"])
    error_message = "Budgets writes a tag as user:KEY$VALUE."
  }
}

run "no_alert_on_the_forecast_is_refused" {
  command = plan

  variables {
    alerts = [{ percent = 100 }]
  }

  expect_failures = [var.alerts]
}

run "nothing_to_tell_is_refused" {
  command = plan

  variables {
    alerts = []
  }

  expect_failures = [var.alerts]
}

run "an_alert_at_nothing_is_refused" {
  command = plan

  variables {
    alerts = [{ percent = 0, forecast = true }]
  }

  expect_failures = [var.alerts]
}

run "no_money_is_refused" {
  command = plan

  variables {
    monthly_usd = 0
  }

  expect_failures = [var.monthly_usd]
}

run "a_name_with_a_colon_is_refused" {
  command = plan

  variables {
    name = "dev:image"
  }

  expect_failures = [var.name]
}
