# The inference function module by itself.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
}

variables {
  name        = "image-classifier-dev-inference"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-inference"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  package     = { zip_path = "tests/inference_function.tftest.hcl" } # any file: its content does not matter here
}

run "two_environments_of_a_version_are_warm" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  assert {
    condition     = aws_lambda_provisioned_concurrency_config.this[0].provisioned_concurrent_executions == 2
    error_message = "Provisioned concurrency is 2 by default."
  }

  assert {
    condition     = aws_lambda_function.this.publish && output.alias == "live"
    error_message = "Provisioned concurrency needs a published version, callers an alias."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/inference_function.tftest.hcl")
    error_message = "New code must make a new version."
  }
}

run "no_provisioned_concurrency_is_accepted" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    provisioned_concurrency = 0
  }

  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.this) == 0
    error_message = "Nothing may be kept warm."
  }
}

run "half_an_environment_is_refused" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    provisioned_concurrency = 0.5
  }

  expect_failures = [var.provisioned_concurrency]
}

run "zip_that_was_not_built_is_refused" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    package = { zip_path = "tests/nothing.zip" }
  }

  expect_failures = [var.package]
}

run "unknown_processor_is_refused" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    package = { zip_path = "tests/inference_function.tftest.hcl", architecture = "riscv" }
  }

  expect_failures = [var.package]
}

run "memory_below_lambdas_least_is_refused" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    memory_mb = 64
  }

  expect_failures = [var.memory_mb]
}

run "time_beyond_lambdas_limit_is_refused" {
  command = plan

  module {
    source = "../modules/inference_function"
  }

  variables {
    timeout_seconds = 901
  }

  expect_failures = [var.timeout_seconds]
}
