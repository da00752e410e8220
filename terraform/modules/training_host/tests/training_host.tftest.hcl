# The training host by itself. No account: every AWS call is mocked.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }

  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
}

variables {
  name             = "image-classifier-dev-host"
  instance_profile = "image-classifier-dev-ec2-host"
  user_data        = "#!/bin/bash\necho training\n"
  network          = { vpc_id = "vpc-1", subnet_id = "subnet-1" }
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_instance.this.instance_type == "t3.medium" && output.architecture == "x86_64" && !output.accelerated
    error_message = "The default must be a CPU type."
  }

  assert {
    condition     = aws_instance.this.instance_initiated_shutdown_behavior == "terminate"
    error_message = "Powering off must terminate the host."
  }

  assert {
    condition = (
      aws_instance.this.metadata_options[0].http_tokens == "required"
      && aws_instance.this.metadata_options[0].http_put_response_hop_limit == 1
    )
    error_message = "The host must require IMDSv2 with one hop."
  }

  assert {
    condition = (
      aws_instance.this.root_block_device[0].encrypted
      && aws_instance.this.root_block_device[0].volume_type == "gp3"
      && aws_instance.this.root_block_device[0].volume_size >= 45
    )
    error_message = "The volume must be encrypted gp3 and hold the image."
  }

  assert {
    condition     = aws_instance.this.associate_public_ip_address == false && length(aws_instance.this.instance_market_options) == 0
    error_message = "By default there must be no public address and no Spot request."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.connect) == 0 && length(aws_ec2_instance_connect_endpoint.this) == 0
    error_message = "There must be no inbound rule."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_vpc_security_group_egress_rule.addresses) :
      rule.ip_protocol == "tcp" && rule.from_port == 443 && rule.to_port == 443
    ])
    error_message = "Only outbound TLS must be allowed."
  }

  assert {
    condition     = strcontains(aws_instance.this.user_data, "\n    shutdown -P +720 ") && strcontains(aws_instance.this.user_data, "\n#!/bin/bash\necho training\n")
    error_message = "The timer must be in the user data: ${aws_instance.this.user_data}"
  }

  assert {
    condition     = strcontains(split("2-program.sh", aws_instance.this.user_data)[0], "shutdown")
    error_message = "The timer must start before the script."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.idle[0].evaluation_periods == 6
      && aws_cloudwatch_metric_alarm.idle[0].alarm_actions == toset(["arn:aws:automate:eu-west-1:ec2:terminate"])
    )
    error_message = "Half an hour with an idle CPU must terminate the host."
  }
}

run "image_has_the_given_pytorch_version" {
  command = plan

  variables {
    instance_type = "g5.xlarge"
    image         = { pytorch_version = "2.9" }
  }

  assert {
    condition = (
      output.image_parameter == "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.9-amazon-linux-2023/latest/ami-id"
      && output.accelerated
    )
    error_message = "The image must match version and type: ${output.image_parameter}"
  }
}

run "graviton_types_get_an_arm64_image" {
  command = plan

  variables {
    instance_type = "c7g.xlarge"
  }

  assert {
    condition     = output.architecture == "arm64" && strcontains(output.image_parameter, "/ami/arm64/") && !output.accelerated
    error_message = "A Graviton type must get an arm64 image: ${output.image_parameter}"
  }
}

run "graviton_type_with_a_gpu" {
  command = plan

  variables {
    instance_type = "g5g.xlarge"
  }

  assert {
    condition     = output.architecture == "arm64" && output.accelerated
    error_message = "g5g must be recognized as Graviton with a GPU."
  }
}

run "another_image" {
  command = plan

  variables {
    image = { parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64" }
  }

  assert {
    condition     = data.aws_ssm_parameter.image.name == "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    error_message = "A given parameter must override the version."
  }
}

run "spot_is_a_one_time_request" {
  command = plan

  variables {
    spot = { enabled = true, max_price = "0.05" }
  }

  assert {
    condition = (
      aws_instance.this.instance_market_options[0].market_type == "spot"
      && aws_instance.this.instance_market_options[0].spot_options[0].spot_instance_type == "one-time"
      && aws_instance.this.instance_market_options[0].spot_options[0].max_price == "0.05"
    )
    error_message = "An interrupted host must not restart: the next one resumes from the checkpoint."
  }
}

run "idle_host_is_stopped_and_reported" {
  command = plan

  variables {
    lifetime = { idle_minutes = 60, on_idle = "stop", notify_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:it"] }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle[0].alarm_actions == toset(["arn:aws:automate:eu-west-1:ec2:stop", "arn:aws:sns:eu-west-1:123456789012:it"])
    error_message = "The alarm must stop the host and notify the topic."
  }
}

run "no_alarm" {
  command = plan

  variables {
    lifetime = { idle_minutes = 0 }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.idle) == 0 && output.idle_alarm == null
    error_message = "With 0 minutes there must be no alarm."
  }
}

run "egress_to_prefix_lists_only" {
  command = plan

  variables {
    network = {
      vpc_id                 = "vpc-1"
      subnet_id              = "subnet-1"
      egress_cidrs           = ["10.40.0.0/20"]
      egress_prefix_list_ids = ["pl-1"]
      security_group_ids     = ["sg-2"]
    }
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.addresses)) == toset(["10.40.0.0/20"]) && toset(keys(aws_vpc_security_group_egress_rule.prefix_lists)) == toset(["pl-1"])
    error_message = "There must be no other egress rule."
  }
}

run "instance_connect_endpoint" {
  command = plan

  variables {
    instance_connect = { enabled = true }
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.connect[0].cidr_ipv4 == null
      && aws_vpc_security_group_ingress_rule.connect[0].from_port == 22
      && aws_vpc_security_group_ingress_rule.connect[0].to_port == 22
    )
    error_message = "SSH must be allowed from the endpoint's security group only."
  }
}

run "largest_script_fits_into_user_data" {
  command = plan

  variables {
    user_data = format("#!/bin/sh\n%15350s", "")
  }

  assert {
    condition     = length(base64encode(aws_instance.this.user_data)) <= ceil(16384 / 3) * 4
    error_message = "15 KiB and the timer must fit into 16 KiB."
  }
}
