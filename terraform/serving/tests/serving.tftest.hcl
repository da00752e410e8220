# What the plan contains, and which inputs it refuses. No account: every AWS call is mocked.

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
  project           = "image-classifier"
  environment       = "dev"
  region            = "eu-west-1"
  endpoint_name     = "image-classifier-dev"
  model_package_arn = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/image-classifier-dev/1"
  boundary_arn      = ""
  hosting           = { instance = { type = "ml.m5.large" } }

  lambda = {
    zip_path          = "tests/serving.tftest.hcl" # any file
    dead_letter_queue = true
    tracing           = true
    allowed_url_hosts = []
  }
}

run "policy_of_the_function_is_known_at_plan" {
  command = plan

  assert {
    condition = strcontains(
      templatefile("${local.policies}/roles/inference_function.json", local.policy_values),
      "\"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/image-classifier-dev\""
    )
    error_message = "The ARN of the endpoint in the function's policy must be known before the endpoint exists."
  }

  assert {
    condition     = module.inference_function[0].alias_arn == "arn:aws:lambda:eu-west-1:123456789012:function:image-classifier-dev-inference:live"
    error_message = "The alias's ARN must be computed from names."
  }

  assert {
    condition     = aws_ssm_parameter.outputs.name == "/image-classifier/dev/serving/image-classifier-dev"
    error_message = "The tasks read the outputs at this name."
  }
}

run "refuses_an_endpoint_name_of_another_environment" {
  command = plan

  variables {
    endpoint_name = "image-classifier-prod"
  }

  expect_failures = [var.endpoint_name]
}

run "refuses_images_too_large_for_lambda" {
  command = plan

  variables {
    lambda = {
      zip_path          = "tests/serving.tftest.hcl"
      dead_letter_queue = true
      tracing           = true
      max_image_bytes   = 6000000
      allowed_url_hosts = []
    }
  }

  expect_failures = [var.lambda]
}

run "serverless_endpoint_takes_smaller_images" {
  command = plan

  variables {
    hosting = { serverless = {} }
  }

  assert {
    condition     = local.max_image_bytes == 4194304 && local.outputs.hosting == "serverless" && local.outputs.instance_type == null
    error_message = "The function must limit images to the 4 MB that a serverless endpoint takes."
  }
}

run "asynchronous_endpoint_has_no_function" {
  command = plan

  variables {
    hosting = { asynchronous = { instance_type = "ml.m5.large" } }
  }

  assert {
    condition     = length(module.inference_function) == 0 && local.outputs.function_name == null && local.outputs.provisioned_concurrency == 0
    error_message = "An asynchronous endpoint must have no function: its clients put requests into S3."
  }
}

run "refuses_prefixes_that_the_role_may_not_write" {
  command = plan

  variables {
    data_capture = { prefix = "datasets/" }
    hosting      = { asynchronous = { instance_type = "ml.m5.large", prefix = "responses/" } }
  }

  expect_failures = [var.data_capture, var.hosting]
}

run "fields_left_out_get_the_modules_defaults" {
  command = plan

  variables {
    autoscaling = { max_capacity = 5 }
    deployment  = { termination_wait_seconds = null }
  }

  assert {
    condition     = local.outputs.min_capacity == 1 && local.outputs.max_capacity == 5 && local.outputs.provisioned_concurrency == 2
    error_message = "A field that is left out, or null, must get the module's default."
  }
}
