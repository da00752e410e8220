# Inputs that the module refuses. Each variable that a run expects to fail has exactly one wrong value.

mock_provider "aws" {}

variables {
  name        = "image-classifier-dev-inference"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-inference"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  package     = { zip_path = "tests/refused.tftest.hcl" } # any file: its content does not matter here
}

run "refuses_half_an_environment_and_sizes_below_the_least" {
  command = plan

  variables {
    name                    = "a name"
    package                 = { zip_path = "tests/nothing.zip" }
    memory_mb               = 64
    timeout_seconds         = 0
    provisioned_concurrency = 0.5
    access                  = { http_api = { enabled = true, burst_limit = 0 } }
  }

  expect_failures = [
    var.name, var.package, var.memory_mb, var.timeout_seconds, var.provisioned_concurrency, var.access,
  ]
}

run "refuses_unknown_processor_and_sizes_beyond_the_most" {
  command = plan

  variables {
    package         = { zip_path = "tests/refused.tftest.hcl", architecture = "riscv" }
    memory_mb       = 10241
    timeout_seconds = 901
    access          = { http_api = { enabled = true, rate_limit = 0 } }
    schedules       = [{ name = "day", schedule = "daily", provisioned_concurrency = 1 }]
  }

  expect_failures = [
    var.package, var.memory_mb, var.timeout_seconds, var.access, var.schedules,
  ]
}

run "refuses_nothing_reserved" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_half_an_environment_reserved" {
  command = plan

  variables {
    reserved_concurrency = 2.5
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_half_an_environment_scheduled" {
  command = plan

  variables {
    schedules = [{ name = "day", schedule = "cron(0 8 * * ? *)", provisioned_concurrency = 1.5 }]
  }

  expect_failures = [var.schedules]
}

run "refuses_less_reserved_than_is_kept_warm" {
  command = plan

  variables {
    reserved_concurrency = 1
  }

  expect_failures = [var.reserved_concurrency]
}

run "refuses_less_reserved_than_a_schedule_keeps_warm_and_a_half_burst" {
  command = plan

  variables {
    reserved_concurrency = 5
    schedules            = [{ name = "day", schedule = "cron(0 8 * * ? *)", provisioned_concurrency = 6 }]
    access               = { http_api = { burst_limit = 1.5 } }
  }

  expect_failures = [var.reserved_concurrency, var.access]
}

run "refuses_a_schedule_that_keeps_nothing_warm" {
  command = plan

  variables {
    schedules = [{ name = "night", schedule = "cron(0 19 * * ? *)", provisioned_concurrency = 0 }]
  }

  expect_failures = [var.schedules]
}

run "refuses_schedules_of_what_is_not_kept_warm" {
  command = plan

  variables {
    provisioned_concurrency = 0
    schedules               = [{ name = "day", schedule = "cron(0 8 * * ? *)", provisioned_concurrency = 2 }]
  }

  expect_failures = [var.schedules]
}

run "refuses_two_schedules_of_one_name" {
  command = plan

  variables {
    schedules = [
      { name = "day", schedule = "cron(0 8 * * ? *)", provisioned_concurrency = 2 },
      { name = "day", schedule = "cron(0 9 * * ? *)", provisioned_concurrency = 3 },
    ]
  }

  expect_failures = [var.schedules]
}

run "refuses_a_schedule_whose_name_application_auto_scaling_would_not_take" {
  command = plan

  variables {
    schedules = [{ name = "day: all", schedule = "cron(0 8 * * ? *)", provisioned_concurrency = 2 }]
  }

  expect_failures = [var.schedules]
}
