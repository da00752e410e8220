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

  mock_data "aws_vpc" {
    defaults = { id = "vpc-default" }
  }

  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-2", "subnet-1"] }
  }
}

override_data {
  target = data.aws_ssm_parameter.foundation
  values = {
    insecure_value = <<-JSON
      {
        "account_id": "123456789012",
        "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
        "ec2_host_instance_profile": "image-classifier-dev-ec2-host",
        "ec2_log_group": "/image-classifier/dev/ec2",
        "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "network": {
          "vpc_id": "vpc-private",
          "subnet_ids": ["subnet-1", "subnet-2"],
          "training_security_group_ids": ["sg-training"]
        },
        "prefix": "image-classifier-dev",
        "tuning_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"
      }
    JSON
  }
}

variables {
  project     = "image-classifier"
  environment = "dev"
  region      = "eu-west-1"

  boundary_arn = ""
}

run "studio_in_the_private_network" {
  command = plan

  assert {
    condition     = module.workbench_role.arn == "arn:aws:iam::123456789012:role/image-classifier-dev-workbench" && module.workbench.kind == "studio"
    error_message = "The role's ARN must be known at plan, and Studio is the default."
  }

  assert {
    condition = strcontains(
      templatefile("${local.policies}/roles/workbench.json", local.policy_values),
      "\"arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/image-classifier-dev-workbench\""
    )
    error_message = "The role may stop only this environment's notebook instance."
  }

  assert {
    condition     = aws_ssm_parameter.outputs.name == "/image-classifier/dev/workbench"
    error_message = "The tasks read the outputs at this name."
  }
}

run "notebook_instance_with_internet_access_and_no_private_network" {
  command = plan

  variables {
    workbench = { kind = "notebook", internet_access = true }
  }

  override_data {
    target = data.aws_ssm_parameter.foundation
    values = {
      insecure_value = <<-JSON
        {
          "account_id": "123456789012",
          "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
          "ec2_host_instance_profile": "image-classifier-dev-ec2-host",
          "ec2_log_group": "/image-classifier/dev/ec2",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
          "network": null,
          "prefix": "image-classifier-dev",
          "tuning_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"
        }
      JSON
    }
  }

  assert {
    condition     = module.workbench.kind == "notebook" && sort(data.aws_subnets.default[0].ids) == tolist(["subnet-1", "subnet-2"])
    error_message = "With internet access the workbench needs no private network."
  }
}

run "refuses_no_internet_access_without_a_private_network" {
  command = plan

  override_data {
    target = data.aws_ssm_parameter.foundation
    values = {
      insecure_value = <<-JSON
        {
          "account_id": "123456789012",
          "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
          "ec2_host_instance_profile": "image-classifier-dev-ec2-host",
          "ec2_log_group": "/image-classifier/dev/ec2",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
          "network": null,
          "prefix": "image-classifier-dev",
          "tuning_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"
        }
      JSON
    }
  }

  expect_failures = [data.aws_ssm_parameter.foundation]
}

run "refuses_a_tag_value_that_aws_refuses" {
  command = plan

  variables {
    tags = { Team = "vision & more" }
  }

  expect_failures = [var.tags]
}
