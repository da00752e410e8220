# Both kinds of workbench. No account: every AWS call is mocked.

mock_provider "aws" {}

variables {
  name        = "image-classifier-dev-workbench"
  role_arn    = "arn:aws:iam::123456789012:role/image-classifier-dev-workbench"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  network     = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
}

run "studio_is_private_encrypted_and_goes_to_sleep" {
  command = plan

  assert {
    condition = (
      aws_sagemaker_domain.this[0].auth_mode == "IAM"
      && aws_sagemaker_domain.this[0].app_network_access_type == "VpcOnly"
      && aws_sagemaker_domain.this[0].kms_key_id == var.kms_key_arn
    )
    error_message = "In the network, by IAM, with the given key."
  }

  assert {
    condition     = aws_sagemaker_domain.this[0].retention_policy[0].home_efs_file_system == "Delete"
    error_message = "A file system that stays bills on."
  }

  assert {
    condition = (
      aws_sagemaker_user_profile.this[0].user_settings[0].jupyter_lab_app_settings[0].app_lifecycle_management[0].idle_settings[0].lifecycle_management == "ENABLED"
      && aws_sagemaker_space.this[0].space_settings[0].jupyter_lab_app_settings[0].app_lifecycle_management[0].idle_settings[0].idle_timeout_in_minutes == 60
    )
    error_message = "What nobody uses is stopped."
  }

  assert {
    condition = (
      aws_sagemaker_space.this[0].space_sharing_settings[0].sharing_type == "Private"
      && aws_sagemaker_space.this[0].ownership_settings[0].owner_user_profile_name == var.name
      && aws_sagemaker_space.this[0].space_settings[0].jupyter_lab_app_settings[0].default_resource_spec[0].instance_type == "ml.t3.medium"
    )
    error_message = "The space is its user's, on a small machine."
  }

  assert {
    condition     = length(aws_sagemaker_notebook_instance.this) == 0 && length(aws_sagemaker_studio_lifecycle_config.prepare) == 0
    error_message = "One kind at a time; no configuration without a repository."
  }
}

run "a_notebook_instance_is_private_encrypted_and_goes_to_sleep" {
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
    error_message = "In the network, without internet and root, with the given key."
  }

  assert {
    condition     = aws_sagemaker_notebook_instance.this[0].instance_metadata_service_configuration[0].minimum_instance_metadata_service_version == "2"
    error_message = "IMDSv2 only."
  }

  assert {
    condition = strcontains(
      base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start),
      "python3 - \"image-classifier-dev-workbench\" \"90\""
    )
    error_message = "It stops itself after the given time."
  }

  assert {
    condition     = !strcontains(base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start), "aws s3 cp")
    error_message = "Nothing is unpacked without a repository."
  }

  assert {
    condition     = length(aws_sagemaker_domain.this) == 0 && output.domain_id == null && output.file_system_id == null
    error_message = "One kind at a time."
  }
}

run "the_internet_is_there_on_request" {
  command = plan

  variables {
    internet_access = true
  }

  assert {
    condition     = aws_sagemaker_domain.this[0].app_network_access_type == "PublicInternetOnly"
    error_message = "internet_access leads out."
  }
}

run "a_notebook_instance_reaches_it_too" {
  command = plan

  variables {
    kind            = "notebook"
    internet_access = true
    repository      = { uri = "s3://bucket/code/repository.tar.gz", variables = { INVOKE_ENV = "dev" } }
  }

  assert {
    condition     = strcontains(local.prepare, "--env INVOKE_ENV \"dev\"")
    error_message = "The kernel has the variables."
  }

  assert {
    condition     = aws_sagemaker_notebook_instance.this[0].direct_internet_access == "Enabled" && aws_sagemaker_notebook_instance.this[0].subnet_id == null
    error_message = "internet_access leads out."
  }

  assert {
    condition     = strcontains(base64decode(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start), "aws s3 cp \"s3://bucket/code/repository.tar.gz\"")
    error_message = "The repository is fetched at the start."
  }

  # What SageMaker takes.
  assert {
    condition     = length(aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].on_start) <= 16384
    error_message = "A lifecycle configuration has 16384 characters at most."
  }
}

run "a_repository_is_unpacked_in_studio" {
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
    error_message = "JupyterLab starts with the repository in its home folder."
  }
}
