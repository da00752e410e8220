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

run "defaults" {
  command = plan

  assert {
    condition     = output.subnet_cidrs == { "eu-west-1a" = "10.40.0.0/23", "eu-west-1b" = "10.40.2.0/23" }
    error_message = "Two zones must each have an eighth of the range: ${jsonencode(output.subnet_cidrs)}"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch == false])
    error_message = "No subnet may assign public addresses."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3" && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 must have a gateway endpoint."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_flow_log.this) == 0
    error_message = "By default there must be no interface endpoints and no flow logs."
  }

  assert {
    condition = alltrue([
      for rule in values(aws_vpc_security_group_egress_rule.endpoints) :
      rule.ip_protocol == "tcp" && rule.from_port == 443 && rule.to_port == 443 && rule.cidr_ipv4 == null
    ])
    error_message = "Containers must reach the endpoints by TLS, and no address range."
  }

  assert {
    condition     = sort(keys(aws_vpc_security_group_egress_rule.s3)) == tolist(["serving", "training"])
    error_message = "Training and serving must reach S3."
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group must be empty."
  }
}

run "given_zones" {
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
    error_message = "The zones must be used in the given order: ${jsonencode(output.subnet_cidrs)}"
  }

  assert {
    condition     = length(data.aws_availability_zones.available) == 0
    error_message = "With given zones there must be no lookup."
  }
}

run "adding_a_zone_moves_no_subnet" {
  command = plan

  variables {
    zone_count = 3
  }

  assert {
    condition = alltrue([
      for zone, cidr in run.defaults.subnet_cidrs : output.subnet_cidrs[zone] == cidr
    ])
    error_message = "The ranges of existing subnets must not change."
  }
}

run "interface_endpoints_and_flow_logs" {
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
    error_message = "The endpoint must have private DNS and the given policy."
  }

  assert {
    condition     = aws_flow_log.this[0].traffic_type == "ALL" && aws_cloudwatch_log_group.flow_logs[0].kms_key_id == var.flow_logs.kms_key_arn
    error_message = "All traffic must be recorded, encrypted with the given key."
  }
}

# Several at once: each run costs half a second.

run "refuses_wrong_values" {
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

run "refuses_a_host_address_a_repeated_zone_a_full_service_name_and_unencrypted_logs" {
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

run "refuses_a_small_range_and_an_interface_endpoint_for_s3" {
  command = plan

  variables {
    cidr                        = "10.40.0.0/26"
    interface_endpoint_policies = { s3 = "{\"Statement\": []}" }
  }

  expect_failures = [var.cidr, var.interface_endpoint_policies]
}

run "refuses_more_zones_than_the_region_has" {
  command = plan

  variables {
    zone_count = 4
  }

  expect_failures = [aws_vpc.this]
}
