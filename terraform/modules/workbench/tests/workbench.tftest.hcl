# Both kinds of workbench. No account: every AWS call is mocked.

mock_provider "aws" {}

variables {
  name        = "image-classifier-dev-workbench"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-workbench"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  network     = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
}

run "studio_is_private_encrypted_and_stops_when_idle" {
  command = plan

  assert {
    condition = (
      aws_sagemaker_domain.this[0].auth_mode == "IAM"
      && aws_sagemaker_domain.this[0].app_network_access_type == "VpcOnly"
      && aws_sagemaker_domain.this[0].kms_key_id == var.kms_key_arn
    )
    error_message = "The domain must be in the VPC, use IAM and have the given key."
  }

  assert {
    condition     = aws_sagemaker_domain.this[0].retention_policy[0].home_efs_file_system == "Delete"
    error_message = "The file system must be deleted with the domain."
  }

  assert {
    condition = (
      aws_sagemaker_user_profile.this[0].user_settings[0].jupyter_lab_app_settings[0].app_lifecycle_management[0].idle_settings[0].lifecycle_management == "ENABLED"
      && aws_sagemaker_space.this[0].space_settings[0].jupyter_lab_app_settings[0].app_lifecycle_management[0].idle_settings[0].idle_timeout_in_minutes == 60
    )
    error_message = "JupyterLab must stop when it is idle."
  }

  assert {
    condition = (
      aws_sagemaker_space.this[0].space_sharing_settings[0].sharing_type == "Private"
      && aws_sagemaker_space.this[0].ownership_settings[0].owner_user_profile_name == var.name
      && aws_sagemaker_space.this[0].space_settings[0].jupyter_lab_app_settings[0].default_resource_spec[0].instance_type == "ml.t3.medium"
    )
    error_message = "The space must be private, on the default instance type."
  }

  assert {
    condition     = length(aws_sagemaker_notebook_instance.this) == 0 && length(aws_sagemaker_studio_lifecycle_config.prepare) == 0
    error_message = "There must be no notebook instance, and no lifecycle configuration without a repository."
  }
}

run "notebook_instance_is_private_encrypted_and_stops_when_idle" {
  command = plan

  variables {
    kind         = "notebook"
    idle_minutes = 90
  }

  assert {
    condition = (
      aws_sagemaker_notebook_instance.this[0].direct_internet_access == "Disabled"
      && aws_sagemaker_notebook_instance.this[0].root_access == "Disabled"
      && aws_sagemaker_notebook_instance.this[0].kms_key_id == var.kms_key_arn
      && aws_sagemaker_notebook_instance.this[0].subnet_id == "subnet-1"
      && aws_sagemaker_notebook_instance.this[0].instance_type == "ml.t3.medium"
    )
    error_message = "The instance must be in the VPC, without internet and root access, with the given key."
  }

  assert {
    condition     = aws_sagemaker_notebook_instance.this[0].instance_metadata_service_configuration[0].minimum_instance_metadata_service_version == "2"
    error_message = "The instance must require IMDSv2."
  }

  assert {
    condition = strcontains(
      base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start),
      "python3 - \"image-classifier-dev-workbench\" \"90\""
    )
    error_message = "The instance must stop itself after idle_minutes."
  }

  assert {
    condition     = !strcontains(base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start), "aws s3 cp")
    error_message = "Without a repository nothing must be unpacked."
  }

  assert {
    condition     = length(aws_sagemaker_domain.this) == 0 && output.domain_id == null && output.file_system_id == null
    error_message = "There must be no domain."
  }
}

run "studio_with_internet_access" {
  command = plan

  variables {
    internet_access = true
  }

  assert {
    condition     = aws_sagemaker_domain.this[0].app_network_access_type == "PublicInternetOnly"
    error_message = "internet_access must turn internet access on."
  }
}

run "notebook_instance_with_internet_access_and_a_repository" {
  command = plan

  variables {
    kind            = "notebook"
    internet_access = true
    repository      = { uri = "s3://bucket/code/repository.tar.gz", variables = { INVOKE_ENV = "dev" } }
  }

  assert {
    condition     = strcontains(local.prepare, "--env INVOKE_ENV \"dev\"")
    error_message = "The kernel must have the variables."
  }

  assert {
    condition     = aws_sagemaker_notebook_instance.this[0].direct_internet_access == "Enabled" && aws_sagemaker_notebook_instance.this[0].subnet_id == null
    error_message = "internet_access must turn internet access on."
  }

  assert {
    condition     = strcontains(base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start), "aws s3 cp \"s3://bucket/code/repository.tar.gz\"")
    error_message = "The lifecycle script must fetch the repository."
  }

  # What SageMaker takes.
  assert {
    condition     = length(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start) <= 16384
    error_message = "A lifecycle configuration takes at most 16384 characters."
  }
}

run "studio_unpacks_the_repository" {
  command = plan

  variables {
    repository = { uri = "s3://bucket/code/repository.tar.gz", directory = "classifier" }
  }

  assert {
    condition = (
      strcontains(base64decode(aws_sagemaker_studio_lifecycle_config.prepare[0].studio_lifecycle_config_content), "/}classifier\"")
      && startswith(aws_sagemaker_studio_lifecycle_config.prepare[0].studio_lifecycle_config_name, "image-classifier-dev-workbench-")
      && aws_sagemaker_studio_lifecycle_config.prepare[0].studio_lifecycle_config_app_type == "JupyterLab"
    )
    error_message = "JupyterLab must start with the lifecycle configuration."
  }
}
