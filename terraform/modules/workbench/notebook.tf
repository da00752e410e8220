# One notebook instance.

resource "aws_sagemaker_notebook_instance" "this" {
  #checkov:skip=CKV_AWS_122:direct internet access on request only
  #checkov:skip=CKV_AWS_187:kms_key_arn is required
  #checkov:skip=CKV2_AWS_68:the caller gives the role; policies/roles/workbench.json passes this repository's policy checks
  #checkov:skip=CKV_AWS_306:outside the VPC on request only
  count                  = local.notebook ? 1 : 0
  name                   = var.name
  instance_type          = var.instance_type
  role_arn               = var.role_arn
  subnet_id              = var.internet_access ? null : var.network.subnet_ids[0]
  security_groups        = local.security_group_ids
  kms_key_id             = var.kms_key_arn
  volume_size            = var.volume_size_gb
  direct_internet_access = var.internet_access ? "Enabled" : "Disabled"
  root_access            = "Disabled" # lifecycle scripts run as root regardless
  lifecycle_config_name  = aws_sagemaker_notebook_instance_lifecycle_configuration.this[0].name

  instance_metadata_service_configuration {
    minimum_instance_metadata_service_version = "2"
  }

  lifecycle {
    # A validation of the variable would also run when everything is destroyed, without these inputs.
    precondition {
      condition     = local.network_has_group
      error_message = "Without internet_access, network.security_group_ids needs a group whose rules lead to AWS's services."
    }
  }
}

resource "aws_sagemaker_notebook_instance_lifecycle_configuration" "this" {
  count = local.notebook ? 1 : 0
  name  = var.name

  on_start = base64encode(templatefile("${path.module}/scripts/on_start.sh", {
    idle_minutes = var.idle_minutes
    name         = var.name
    prepare      = local.prepare
    region       = data.aws_region.current.name
    stop         = file("${path.module}/scripts/stop_when_idle.py")
  }))
}
