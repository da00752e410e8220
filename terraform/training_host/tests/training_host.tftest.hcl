# What the plan contains, and which inputs it refuses. No account: every AWS call is mocked.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
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
  project     = "image-classifier"
  environment = "dev"
  region      = "eu-west-1"
}

run "host_runs_in_the_private_network" {
  command = plan

  variables {
    host = { user_data = "#!/bin/bash\ntrain\n", job = "job-1" }
  }

  assert {
    condition     = module.training_host.image_parameter == "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.12-amazon-linux-2023/latest/ami-id"
    error_message = "The host must start from the newest image."
  }

  assert {
    condition     = module.training_host.instance_type == "t3.medium" && output.stack_outputs.job == "job-1"
    error_message = "The instance type must be the module's default, and the outputs must name the job."
  }

  assert {
    condition     = local.vpc_id == "vpc-private" && length(data.aws_vpc.default) == 0
    error_message = "The host must run in the foundation's private network if there is one."
  }

  assert {
    condition     = aws_ssm_parameter.outputs.name == "/image-classifier/dev/training_host"
    error_message = "The tasks read the outputs at this name."
  }
}

run "host_runs_in_the_default_vpc" {
  command = plan

  variables {
    host = { instance_type = "g5.xlarge", spot = true, instance_connect = true, zone = 3 }
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
    condition     = local.vpc_id == "vpc-default" && module.training_host.accelerated
    error_message = "Without a private network the host must run in the default VPC."
  }

  assert {
    condition     = module.training_host.subnet_id == "subnet-2"
    error_message = "A zone index beyond the last zone must wrap around."
  }
}

run "refuses_a_type_that_no_zone_offers" {
  command = plan

  variables {
    host = { instance_type = "p5.48xlarge" }
  }

  override_data {
    target = data.aws_subnets.host
    values = { ids = [] }
  }

  expect_failures = [data.aws_subnets.host]
}

run "refuses_a_tag_value_that_aws_refuses" {
  command = plan

  variables {
    tags = { Team = "vision & more" }
  }

  expect_failures = [var.tags]
}
