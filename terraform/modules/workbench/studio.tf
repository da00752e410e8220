# SageMaker Studio: a domain, one user, a private space with JupyterLab.

resource "aws_sagemaker_domain" "this" {
  #checkov:skip=CKV_AWS_187:kms_key_arn is required
  count                   = local.studio ? 1 : 0
  domain_name             = var.name
  auth_mode               = "IAM"
  vpc_id                  = var.network.vpc_id
  subnet_ids              = var.network.subnet_ids
  kms_key_id              = var.kms_key_arn
  app_network_access_type = var.internet_access ? "PublicInternetOnly" : "VpcOnly"
  tag_propagation         = "ENABLED"

  default_user_settings {
    execution_role      = var.role_arn
    security_groups     = local.security_group_ids
    studio_web_portal   = "ENABLED"
    default_landing_uri = "studio::"
    auto_mount_home_efs = "Disabled" # a space has its own volume
  }

  # A retained file system would keep billing and keep its network interfaces.
  retention_policy {
    home_efs_file_system = "Delete"
  }

  lifecycle {
    # An import cannot read it, and the provider would replace the domain: ops/terraform/adoption writes it into the state.
    ignore_changes = [retention_policy]

    # A validation of the variable would also run when everything is destroyed, without these inputs.
    precondition {
      condition     = local.network_has_group
      error_message = "Without internet_access, network.security_group_ids needs a group whose rules lead to AWS's services."
    }
  }
}

resource "aws_sagemaker_user_profile" "this" {
  count             = local.studio ? 1 : 0
  domain_id         = aws_sagemaker_domain.this[0].id
  user_profile_name = var.name

  user_settings {
    execution_role  = var.role_arn
    security_groups = local.security_group_ids

    # On the profile, not on the domain: the provider cannot change a VpcOnly domain.
    jupyter_lab_app_settings {
      lifecycle_config_arns = aws_sagemaker_studio_lifecycle_config.prepare[*].arn

      app_lifecycle_management {
        idle_settings {
          lifecycle_management        = "ENABLED"
          idle_timeout_in_minutes     = var.idle_minutes
          min_idle_timeout_in_minutes = 60
          max_idle_timeout_in_minutes = var.idle_minutes # users cannot set a longer timeout
        }
      }
    }
  }
}

resource "aws_sagemaker_space" "this" {
  count      = local.studio ? 1 : 0
  domain_id  = aws_sagemaker_domain.this[0].id
  space_name = var.name

  ownership_settings {
    owner_user_profile_name = aws_sagemaker_user_profile.this[0].user_profile_name
  }

  space_sharing_settings {
    sharing_type = "Private"
  }

  space_settings {
    app_type = "JupyterLab"

    jupyter_lab_app_settings {
      default_resource_spec {
        instance_type        = var.instance_type
        lifecycle_config_arn = one(aws_sagemaker_studio_lifecycle_config.prepare[*].arn)
      }

      app_lifecycle_management {
        idle_settings {
          idle_timeout_in_minutes = var.idle_minutes
        }
      }
    }

    space_storage_settings {
      ebs_storage_settings {
        ebs_volume_size_in_gb = var.volume_size_gb
      }
    }
  }
}

# Its content is immutable: changed content gets a new configuration, with the hash in its name.
resource "aws_sagemaker_studio_lifecycle_config" "prepare" {
  count                            = local.studio && var.repository.uri != "" ? 1 : 0
  studio_lifecycle_config_name     = "${var.name}-${substr(sha256(local.prepare), 0, 8)}"
  studio_lifecycle_config_app_type = "JupyterLab"
  studio_lifecycle_config_content  = base64encode(local.prepare)

  lifecycle {
    create_before_destroy = true
  }
}
