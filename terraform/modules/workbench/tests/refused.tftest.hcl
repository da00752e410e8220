# Inputs that the module refuses, one per run. No account: every AWS call is mocked.

mock_provider "aws" {}

variables {
  name        = "image-classifier-dev-workbench"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-workbench"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  network     = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
}

run "refuses_a_name_with_blanks" {
  command = plan

  variables {
    name = "my bench"
  }

  expect_failures = [var.name]
}

run "refuses_a_name_too_long_for_the_lifecycle_configuration" {
  command = plan

  variables {
    name = format("%055d", 0)
  }

  expect_failures = [var.name]
}

run "refuses_an_unknown_kind" {
  command = plan

  variables {
    kind = "canvas"
  }

  expect_failures = [var.kind]
}

run "refuses_an_ec2_instance_type" {
  command = plan

  variables {
    instance_type = "t3.medium"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_role_name" {
  command = plan

  variables {
    role_arn = "workbench"
  }

  expect_failures = [var.role_arn]
}

run "refuses_a_key_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/image-classifier-dev"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_an_empty_list_of_subnets" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_ids = [], security_group_ids = ["sg-1"] }
  }

  expect_failures = [var.network]
}

run "refuses_studio_without_a_security_group" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = [] }
  }

  expect_failures = [aws_sagemaker_domain.this]
}

run "refuses_a_notebook_instance_without_a_security_group" {
  command = plan

  variables {
    kind    = "notebook"
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = [] }
  }

  expect_failures = [aws_sagemaker_notebook_instance.this]
}

run "refuses_more_security_groups_than_sagemaker_takes" {
  command = plan

  variables {
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5", "sg-6"] }
  }

  expect_failures = [var.network]
}

run "refuses_a_volume_of_zero_gib" {
  command = plan

  variables {
    volume_size_gb = 4
  }

  expect_failures = [var.volume_size_gb]
}

run "refuses_an_idle_time_below_studios_minimum" {
  command = plan

  variables {
    idle_minutes = 30
  }

  expect_failures = [var.idle_minutes]
}

run "refuses_a_repository_outside_s3" {
  command = plan

  variables {
    repository = { uri = "https://example.com/repository.git" }
  }

  expect_failures = [var.repository]
}

run "refuses_a_directory_outside_the_home_folder" {
  command = plan

  variables {
    repository = { directory = "../elsewhere" }
  }

  expect_failures = [var.repository]
}
