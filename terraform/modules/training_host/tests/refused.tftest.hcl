# What the module refuses, each by its own rule. No account: every AWS call is mocked.

mock_provider "aws" {}

variables {
  name             = "image-classifier-dev-host"
  instance_profile = "image-classifier-dev-ec2-host"
  user_data        = "#!/bin/bash\necho training\n"
  network          = { vpc_id = "vpc-1", subnet_id = "subnet-1" }
}

run "a_name_with_blanks_is_refused" {
  command = plan

  variables {
    name = "my host"
  }

  expect_failures = [var.name]
}

run "sagemakers_instance_type_is_refused" {
  command = plan

  variables {
    instance_type = "ml.m5.large"
  }

  expect_failures = [var.instance_type]
}

run "a_gpu_that_the_driver_does_not_know_is_refused" {
  command = plan

  variables {
    instance_type = "p2.xlarge"
  }

  expect_failures = [var.instance_type]
}

run "an_accelerator_that_pytorch_does_not_use_here_is_refused" {
  command = plan

  variables {
    instance_type = "trn1.2xlarge"
  }

  expect_failures = [var.instance_type]
}

run "a_generation_without_ebs_optimization_is_refused" {
  command = plan

  variables {
    instance_type = "t2.medium"
  }

  expect_failures = [var.instance_type]
}

run "a_version_that_is_none_is_refused" {
  command = plan

  variables {
    image = { pytorch_version = "latest" }
  }

  expect_failures = [var.image]
}

run "an_image_by_its_id_is_refused" {
  command = plan

  variables {
    image = { parameter = "ami-0123456789abcdef0" }
  }

  expect_failures = [var.image]
}

run "a_program_without_its_interpreter_is_refused" {
  command = plan

  variables {
    user_data = "echo training"
  }

  expect_failures = [var.user_data]
}

run "a_program_that_ec2_would_not_take_is_refused" {
  command = plan

  variables {
    user_data = format("#!/bin/sh\n%15351s", "")
  }

  expect_failures = [var.user_data]
}

run "a_profile_by_its_arn_is_refused" {
  command = plan

  variables {
    instance_profile = "arn:aws:iam::123456789012:instance-profile/host"
  }

  expect_failures = [var.instance_profile]
}

run "a_volume_smaller_than_the_image_is_refused" {
  command = plan

  variables {
    root_volume = { size_gb = 44 }
  }

  expect_failures = [var.root_volume]
}

run "more_throughput_than_the_iops_carry_is_refused" {
  command = plan

  variables {
    root_volume = { throughput_mbps = 800 }
  }

  expect_failures = [var.root_volume]
}

run "less_iops_than_gp3_has_is_refused" {
  command = plan

  variables {
    root_volume = { iops = 100 }
  }

  expect_failures = [var.root_volume]
}

run "a_hop_limit_beyond_containers_is_refused" {
  command = plan

  variables {
    metadata_hop_limit = 3
  }

  expect_failures = [var.metadata_hop_limit]
}

run "a_price_in_words_is_refused" {
  command = plan

  variables {
    spot = { enabled = true, max_price = "cheap" }
  }

  expect_failures = [var.spot]
}

run "a_life_without_end_is_refused" {
  command = plan

  variables {
    lifetime = { max_minutes = 0 }
  }

  expect_failures = [var.lifetime]
}

run "minutes_that_no_period_divides_is_refused" {
  command = plan

  variables {
    lifetime = { idle_minutes = 12 }
  }

  expect_failures = [var.lifetime]
}

run "an_idle_host_that_computes_is_refused" {
  command = plan

  variables {
    lifetime = { idle_cpu_percent = 100 }
  }

  expect_failures = [var.lifetime]
}

run "an_end_that_there_is_not_is_refused" {
  command = plan

  variables {
    lifetime = { on_idle = "hibernate" }
  }

  expect_failures = [var.lifetime]
}

run "a_spot_instance_that_stops_is_refused" {
  command = plan

  variables {
    spot     = { enabled = true }
    lifetime = { on_idle = "stop" }
  }

  expect_failures = [var.lifetime]
}

run "a_way_out_that_is_no_range_is_refused" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_id = "subnet-1", egress_cidrs = ["s3"] }
  }

  expect_failures = [var.network]
}

run "a_host_without_a_way_out_is_refused" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_id = "subnet-1", egress_cidrs = [] }
  }

  expect_failures = [var.network]
}
