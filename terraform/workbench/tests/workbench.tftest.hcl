# What a plan of the workbench stack says, and which inputs it refuses. No account: every AWS call is mocked.

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

  mock_data "aws_ec2_instance_type_offerings" {
    defaults = { locations = ["eu-west-1a"] }
  }

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
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
  environment = "dev"
  region      = "eu-west-1"
}

run "nothing_is_there_unless_asked_for" {
  command = plan

  assert {
    condition     = length(module.training_host) == 0 && length(module.workbench) == 0 && length(module.workbench_role) == 0
    error_message = "Both bill by the hour."
  }

  assert {
    condition     = length(aws_ssm_parameter.host) == 0 && length(aws_ssm_parameter.workbench) == 0
    error_message = "What is not there is not handed over."
  }
}

run "a_host_in_the_private_network" {
  command = plan

  variables {
    host = { enabled = true, user_data = "#!/bin/bash\ntrain\n" }
  }

  assert {
    condition     = module.training_host[0].image_parameter == "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-amazon-linux-2023/latest/ami-id"
    error_message = "The newest image."
  }

  assert {
    condition     = !local.public && local.vpc_id == "vpc-private"
    error_message = "Where there is a private network, the host is in it."
  }

  assert {
    condition     = aws_ssm_parameter.host[0].name == "/image-classifier/dev/workbench/host" && length(aws_ssm_parameter.workbench) == 0
    error_message = "The hand-over must lie where the tasks look for it."
  }
}

run "a_host_in_the_default_vpc" {
  command = plan

  variables {
    host = { enabled = true, instance_type = "g5.xlarge", spot = true, instance_connect = true, zone = 3 }
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
    condition     = local.public && local.vpc_id == "vpc-default" && module.training_host[0].accelerated
    error_message = "Without a private network, the default VPC."
  }

  assert {
    condition     = module.training_host[0].subnet_id == "subnet-2"
    error_message = "Zones are counted through, again from the first after the last."
  }
}

run "a_type_that_no_zone_has_is_refused" {
  command = plan

  variables {
    host = { enabled = true, instance_type = "p5.48xlarge" }
  }

  override_data {
    target = data.aws_subnets.host[0]
    values = { ids = [] }
  }

  expect_failures = [data.aws_subnets.host]
}

run "studio_in_the_private_network" {
  command = plan

  variables {
    workbench = { enabled = true }
  }

  assert {
    condition     = module.workbench_role[0].arn == "arn:aws:iam::123456789012:role/image-classifier-dev-workbench" && module.workbench[0].kind == "studio"
    error_message = "Whoever works there has the workbench's role, by an ARN known at plan."
  }

  assert {
    condition = strcontains(
      templatefile("${local.policies}/workbench.json", local.policy_values),
      "\"arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/image-classifier-dev-workbench\""
    )
    error_message = "The notebook instance may stop itself, and no other."
  }

  assert {
    condition     = aws_ssm_parameter.workbench[0].name == "/image-classifier/dev/workbench/notebooks" && length(aws_ssm_parameter.host) == 0
    error_message = "The hand-over must lie where the tasks look for it."
  }
}

run "a_notebook_instance_with_the_internet_and_no_private_network" {
  command = plan

  variables {
    workbench = { enabled = true, kind = "notebook", internet_access = true }
  }

  override_data {
    target = data.aws_ssm_parameter.foundation
    values = {
      insecure_value = <<-JSON
        {
          "account_id": "123456789012",
          "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
          "network": null,
          "prefix": "image-classifier-dev",
          "tuning_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"
        }
      JSON
    }
  }

  assert {
    condition     = module.workbench[0].kind == "notebook" && local.subnet_ids == tolist(["subnet-1", "subnet-2"])
    error_message = "It needs no private network then."
  }
}

run "a_private_workbench_without_a_private_network_is_refused" {
  command = plan

  variables {
    workbench = { enabled = true }
  }

  override_data {
    target = data.aws_ssm_parameter.foundation
    values = {
      insecure_value = <<-JSON
        {
          "account_id": "123456789012",
          "bucket_arn": "arn:aws:s3:::image-classifier-dev-123456789012-eu-west-1",
          "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
          "network": null,
          "prefix": "image-classifier-dev",
          "tuning_role_arn": "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"
        }
      JSON
    }
  }

  expect_failures = [var.workbench]
}

run "a_tag_that_aws_refuses_is_refused" {
  command = plan

  variables {
    tags = { Team = "vision & more" }
  }

  expect_failures = [var.tags]
}
