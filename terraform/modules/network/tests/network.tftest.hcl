# The network module by itself. No account: every AWS call is mocked.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1b", "eu-west-1a", "eu-west-1c"] }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }
}

variables {
  name               = "image-classifier-dev"
  s3_endpoint_policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "two_private_subnets_and_s3_are_the_default" {
  command = plan

  assert {
    condition     = output.subnet_cidrs == { "eu-west-1a" = "10.40.0.0/23", "eu-west-1b" = "10.40.2.0/23" }
    error_message = "Two zones, each with an eighth of the addresses: ${jsonencode(output.subnet_cidrs)}"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch == false])
    error_message = "Nothing may get a public address."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3" && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 is reached by a gateway endpoint."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_flow_log.this) == 0
    error_message = "Interface endpoints and flow logs cost money: only on request."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_vpc_security_group_egress_rule.endpoints) :
      rule.ip_protocol == "tcp" && rule.from_port == 443 && rule.to_port == 443 && rule.cidr_ipv4 == null
    ])
    error_message = "Containers reach the endpoints by TLS, and no address range."
  }

  assert {
    condition     = sort(keys(aws_vpc_security_group_egress_rule.s3)) == tolist(["serving", "training"])
    error_message = "Training and serving read and write S3."
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group must be empty."
  }
}

run "zones_can_be_named" {
  command = plan

  variables {
    availability_zones = ["eu-west-1c", "eu-west-1a", "eu-west-1b"]
    zone_count         = 3
    cidr               = "192.168.0.0/24"
  }

  assert {
    condition = output.subnet_cidrs == {
      "eu-west-1c" = "192.168.0.0/27", "eu-west-1a" = "192.168.0.32/27", "eu-west-1b" = "192.168.0.64/27"
    }
    error_message = "The zones in the order given: ${jsonencode(output.subnet_cidrs)}"
  }

  assert {
    condition     = length(data.aws_availability_zones.available) == 0
    error_message = "There is nothing to ask AWS."
  }
}

run "another_zone_moves_no_subnet" {
  command = plan

  variables {
    zone_count = 3
  }

  assert {
    condition = alltrue([
      for zone, cidr in run.two_private_subnets_and_s3_are_the_default.subnet_cidrs : output.subnet_cidrs[zone] == cidr
    ])
    error_message = "A subnet cannot change its range while anything is in it."
  }
}

run "interface_endpoints_and_flow_logs_on_request" {
  command = plan

  variables {
    interface_endpoint_policies = {
      "sagemaker.runtime" = "{\"Version\": \"2012-10-17\", \"Statement\": [{}]}"
    }
    flow_logs = {
      enabled        = true
      log_group_name = "/image-classifier/dev/flow-logs"
      role_arn       = "arn:aws:iam::123456789012:role/image-classifier-dev-flow-logs"
      kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
  }

  assert {
    condition = (
      aws_vpc_endpoint.interface["sagemaker.runtime"].service_name == "com.amazonaws.eu-west-1.sagemaker.runtime"
      && aws_vpc_endpoint.interface["sagemaker.runtime"].private_dns_enabled
      && aws_vpc_endpoint.interface["sagemaker.runtime"].policy == var.interface_endpoint_policies["sagemaker.runtime"]
    )
    error_message = "The service answers to its usual name, within the policy given."
  }

  assert {
    condition     = aws_flow_log.this[0].traffic_type == "ALL" && aws_cloudwatch_log_group.flow_logs[0].kms_key_id == var.flow_logs.kms_key_arn
    error_message = "All traffic is recorded, encrypted with the given key."
  }
}

# Several at once: each run costs half a second.

run "wrong_values_are_refused" {
  command = plan

  variables {
    name                        = "my network"
    cidr                        = "8.8.0.0/16"
    zone_count                  = 1
    availability_zones          = ["eu-west-1a", "eu-west-1"]
    s3_endpoint_policy          = "anything"
    interface_endpoint_policies = { logs = "anything" }
    flow_logs                   = { enabled = true, log_group_name = "/flow-logs", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }

  expect_failures = [
    var.name,
    var.cidr,
    var.zone_count,
    var.availability_zones,
    var.s3_endpoint_policy,
    var.interface_endpoint_policies,
    var.flow_logs,
  ]
}

run "range_within_a_range_zone_twice_whole_service_name_and_logs_in_clear_are_refused" {
  command = plan

  variables {
    cidr                        = "10.40.0.1/20"
    zone_count                  = 2.5
    availability_zones          = ["eu-west-1a", "eu-west-1a"]
    interface_endpoint_policies = { "com.amazonaws.eu-west-1:logs" = "{\"Statement\": []}" }
    flow_logs                   = { enabled = true, log_group_name = "/flow-logs", role_arn = "arn:aws:iam::123456789012:role/flow-logs" }
  }

  expect_failures = [
    var.cidr,
    var.zone_count,
    var.availability_zones,
    var.interface_endpoint_policies,
    var.flow_logs,
  ]
}

run "range_too_small_for_the_zones_and_interface_to_s3_are_refused" {
  command = plan

  variables {
    cidr                        = "10.40.0.0/26"
    interface_endpoint_policies = { s3 = "{\"Statement\": []}" }
  }

  expect_failures = [var.cidr, var.interface_endpoint_policies]
}

run "more_zones_than_the_region_has_are_refused" {
  command = plan

  variables {
    zone_count = 4
  }

  expect_failures = [aws_vpc.this]
}
