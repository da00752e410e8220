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

run "the_default_is_small_closed_and_mortal" {
  command = plan

  assert {
    condition     = aws_instance.this.instance_type == "t3.medium" && output.architecture == "x86_64" && !output.accelerated
    error_message = "A CPU type unless asked."
  }

  assert {
    condition     = aws_instance.this.instance_initiated_shutdown_behavior == "terminate"
    error_message = "What powers off is gone."
  }

  assert {
    condition = (
      aws_instance.this.metadata_options[0].http_tokens == "required"
      && aws_instance.this.metadata_options[0].http_put_response_hop_limit == 1
    )
    error_message = "IMDSv2 only, and no hop beyond the host."
  }

  assert {
    condition = (
      aws_instance.this.root_block_device[0].encrypted
      && aws_instance.this.root_block_device[0].volume_type == "gp3"
      && aws_instance.this.root_block_device[0].volume_size >= 45
    )
    error_message = "An encrypted gp3 volume that holds the image."
  }

  assert {
    condition     = aws_instance.this.associate_public_ip_address == false && length(aws_instance.this.instance_market_options) == 0
    error_message = "No public address, no Spot, unless asked."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.connect) == 0 && length(aws_ec2_instance_connect_endpoint.this) == 0
    error_message = "No port is open."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_vpc_security_group_egress_rule.addresses) :
      rule.ip_protocol == "tcp" && rule.from_port == 443 && rule.to_port == 443
    ])
    error_message = "TLS is all that goes out."
  }

  assert {
    condition     = strcontains(aws_instance.this.user_data, "\n    shutdown -P +720 ") && strcontains(aws_instance.this.user_data, "\n#!/bin/bash\necho training\n")
    error_message = "The lifetime is set before the program begins: ${aws_instance.this.user_data}"
  }

  assert {
    condition     = strcontains(split("2-program.sh", aws_instance.this.user_data)[0], "shutdown")
    error_message = "The lifetime comes first."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.idle[0].evaluation_periods == 6
      && aws_cloudwatch_metric_alarm.idle[0].alarm_actions == toset(["arn:aws:automate:eu-west-1:ec2:terminate"])
    )
    error_message = "Half an hour of idleness terminates it."
  }
}

run "the_image_is_of_the_pytorch_version_that_is_asked_for" {
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
    error_message = "The image follows version and type: ${output.image_parameter}"
  }
}

run "graviton_gets_the_image_of_its_architecture" {
  command = plan

  variables {
    instance_type = "c7g.xlarge"
  }

  assert {
    condition     = output.architecture == "arm64" && strcontains(output.image_parameter, "/ami/arm64/") && !output.accelerated
    error_message = "A Graviton type boots no x86 image: ${output.image_parameter}"
  }
}

run "gpus_beside_graviton_too" {
  command = plan

  variables {
    instance_type = "g5g.xlarge"
  }

  assert {
    condition     = output.architecture == "arm64" && output.accelerated
    error_message = "g5g is Graviton with a GPU."
  }
}

run "another_image_can_be_named" {
  command = plan

  variables {
    image = { parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64" }
  }

  assert {
    condition     = data.aws_ssm_parameter.image.name == "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    error_message = "A named parameter goes before the version."
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
    error_message = "An interrupted host does not come back by itself: the next one goes on from the checkpoint."
  }
}

run "a_kept_host_stops_or_stays" {
  command = plan

  variables {
    lifetime = { idle_minutes = 60, on_idle = "stop", notify_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:it"] }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.idle[0].alarm_actions == toset(["arn:aws:automate:eu-west-1:ec2:stop", "arn:aws:sns:eu-west-1:123456789012:it"])
    error_message = "It is stopped, and somebody told."
  }
}

run "the_alarm_can_be_left_out" {
  command = plan

  variables {
    lifetime = { idle_minutes = 0 }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.idle) == 0 && output.idle_alarm == null
    error_message = "0 minutes: no alarm."
  }
}

run "a_private_network_lets_it_reach_its_endpoints_only" {
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
    error_message = "Nothing beyond what was given."
  }
}

run "a_shell_comes_through_the_connect_endpoint" {
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
    error_message = "SSH comes from the endpoint's group, from no address."
  }
}

run "the_largest_program_fits_into_what_ec2_takes" {
  command = plan

  variables {
    user_data = format("#!/bin/sh\n%15350s", "")
  }

  assert {
    condition     = length(base64encode(aws_instance.this.user_data)) <= ceil(16384 / 3) * 4
    error_message = "15 KiB and the lifetime's part are more than 16 KiB."
  }
}
