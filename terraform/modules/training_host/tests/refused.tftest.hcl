# Inputs that the module refuses, one per run. No account: every AWS call is mocked.

mock_provider "aws" {}

variables {
  name             = "image-classifier-dev-host"
  instance_profile = "image-classifier-dev-ec2-host"
  user_data        = "#!/bin/bash\necho training\n"
  network          = { vpc_id = "vpc-1", subnet_id = "subnet-1" }
}

run "refuses_a_name_with_blanks" {
  command = plan

  variables {
    name = "my host"
  }

  expect_failures = [var.name]
}

run "refuses_a_sagemaker_instance_type" {
  command = plan

  variables {
    instance_type = "ml.m5.large"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_gpu_without_driver_support" {
  command = plan

  variables {
    instance_type = "p2.xlarge"
  }

  expect_failures = [var.instance_type]
}

run "refuses_an_accelerator_without_pytorch_support" {
  command = plan

  variables {
    instance_type = "trn1.2xlarge"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_type_without_ebs_optimization" {
  command = plan

  variables {
    instance_type = "t2.medium"
  }

  expect_failures = [var.instance_type]
}

run "refuses_an_invalid_version" {
  command = plan

  variables {
    image = { pytorch_version = "latest" }
  }

  expect_failures = [var.image]
}

run "refuses_an_image_id" {
  command = plan

  variables {
    image = { parameter = "ami-0123456789abcdef0" }
  }

  expect_failures = [var.image]
}

run "refuses_a_script_without_an_interpreter" {
  command = plan

  variables {
    user_data = "echo training"
  }

  expect_failures = [var.user_data]
}

run "refuses_a_script_that_is_too_large" {
  command = plan

  variables {
    user_data = format("#!/bin/sh\n%15351s", "")
  }

  expect_failures = [var.user_data]
}

run "refuses_a_profile_arn" {
  command = plan

  variables {
    instance_profile = "arn:aws:iam::123456789012:instance-profile/host"
  }

  expect_failures = [var.instance_profile]
}

run "refuses_a_volume_smaller_than_the_image" {
  command = plan

  variables {
    root_volume = { size_gb = 44 }
  }

  expect_failures = [var.root_volume]
}

run "refuses_more_throughput_than_the_iops_allow" {
  command = plan

  variables {
    root_volume = { throughput_mbps = 800 }
  }

  expect_failures = [var.root_volume]
}

run "refuses_fewer_iops_than_gp3_has" {
  command = plan

  variables {
    root_volume = { iops = 100 }
  }

  expect_failures = [var.root_volume]
}

run "refuses_a_hop_limit_of_three" {
  command = plan

  variables {
    metadata_hop_limit = 3
  }

  expect_failures = [var.metadata_hop_limit]
}

run "refuses_a_price_in_words" {
  command = plan

  variables {
    spot = { enabled = true, max_price = "cheap" }
  }

  expect_failures = [var.spot]
}

run "refuses_a_lifetime_of_zero" {
  command = plan

  variables {
    lifetime = { max_minutes = 0 }
  }

  expect_failures = [var.lifetime]
}

run "refuses_idle_minutes_that_are_no_multiple_of_five" {
  command = plan

  variables {
    lifetime = { idle_minutes = 12 }
  }

  expect_failures = [var.lifetime]
}

run "refuses_an_idle_threshold_of_100_percent" {
  command = plan

  variables {
    lifetime = { idle_cpu_percent = 100 }
  }

  expect_failures = [var.lifetime]
}

run "refuses_an_unknown_idle_action" {
  command = plan

  variables {
    lifetime = { on_idle = "hibernate" }
  }

  expect_failures = [var.lifetime]
}

run "refuses_to_stop_a_spot_instance" {
  command = plan

  variables {
    spot     = { enabled = true }
    lifetime = { on_idle = "stop" }
  }

  expect_failures = [var.lifetime]
}

run "refuses_an_egress_that_is_no_range" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_id = "subnet-1", egress_cidrs = ["s3"] }
  }

  expect_failures = [var.network]
}

run "refuses_a_host_without_egress" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_id = "subnet-1", egress_cidrs = [] }
  }

  expect_failures = [var.network]
}
