# What a plan of the serving stack says, and which inputs it refuses. No account: every AWS call is mocked.

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

  mock_data "aws_ssm_parameter" {
    defaults = {
      insecure_value = <<-JSON
        {
          "account_id": "123456789012",
          "bucket": "image-classifier-dev-123456789012-eu-west-1",
          "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
          "endpoint_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-endpoint",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        }
      JSON
    }
  }
}

variables {
  environment       = "dev"
  region            = "eu-west-1"
  endpoint_name     = "image-classifier-dev"
  model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/1"
  lambda            = { zip_path = "tests/serving.tftest.hcl" } # any file: its content does not matter here
}

run "policy_of_the_function_is_known_at_plan" {
  command = plan

  assert {
    condition = strcontains(
      templatefile("${local.policies}/inference_function.json", local.policy_values),
      "\"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/image-classifier-dev\""
    )
    error_message = "The function may call its endpoint, by an ARN known before the endpoint exists."
  }

  assert {
    condition     = module.inference_function[0].alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:image-classifier-dev-inference:live"
    error_message = "The alias's ARN must be computed from names."
  }

  assert {
    condition     = aws_ssm_parameter.handover.name == "/image-classifier/dev/serving/image-classifier-dev"
    error_message = "The hand-over must lie where the tasks look for it."
  }
}

run "endpoint_of_another_environment_is_refused" {
  command = plan

  variables {
    endpoint_name = "image-classifier-prod"
  }

  expect_failures = [var.endpoint_name]
}

run "pictures_too_large_for_lambda_are_refused" {
  command = plan

  variables {
    lambda = { zip_path = "tests/serving.tftest.hcl", max_image_bytes = 6000000 }
  }

  expect_failures = [var.lambda]
}
