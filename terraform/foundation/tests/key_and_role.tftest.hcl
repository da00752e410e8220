# The key and role modules by themselves.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "key_rotates" {
  command = plan

  module {
    source = "../modules/key"
  }

  variables {
    alias = "image-classifier-dev"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key must rotate."
  }

  assert {
    condition     = output.alias == "alias/image-classifier-dev"
    error_message = "The alias must be computed from its name."
  }
}

run "key_deleted_at_once_is_refused" {
  command = plan

  module {
    source = "../modules/key"
  }

  variables {
    alias                = "image-classifier-dev"
    deletion_window_days = 1
  }

  expect_failures = [var.deletion_window_days]
}

run "alias_of_aws_is_refused" {
  command = plan

  module {
    source = "../modules/key"
  }

  variables {
    alias = "aws/s3"
  }

  expect_failures = [var.alias]
}
