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
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
          "topic_arn": "arn:aws:sns:eu-west-1:123456789012:image-classifier-dev-alarms"
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

run "serverless_endpoint_takes_smaller_pictures" {
  command = plan

  variables {
    hosting = { serverless = {} }
  }

  assert {
    condition     = local.max_image_bytes == 4194304 && local.handover.hosting == "serverless" && local.handover.instance_type == null
    error_message = "A serverless endpoint takes 4 MB a request."
  }
}

run "asynchronous_endpoint_has_no_function" {
  command = plan

  variables {
    hosting = { asynchronous = { instance_type = "ml.m5.large" } }
  }

  assert {
    condition     = length(module.inference_function) == 0 && local.handover.function_name == null && local.handover.provisioned_concurrency == 0
    error_message = "Callers of an asynchronous endpoint leave requests in S3."
  }
}

run "prefixes_that_the_role_may_not_write_are_refused" {
  command = plan

  variables {
    data_capture = { prefix = "datasets/" }
    hosting      = { asynchronous = { instance_type = "ml.m5.large", prefix = "answers/" } }
  }

  expect_failures = [var.data_capture, var.hosting]
}
