# A place to work in notebooks: SageMaker Studio, or one notebook instance. Both stop when nobody uses them.

data "aws_region" "current" {}

locals {
  studio   = var.kind == "studio"
  notebook = var.kind == "notebook"

  # A SageMaker-managed network takes no security groups.
  security_group_ids = var.internet_access ? null : var.network.security_group_ids
  network_has_group  = var.internet_access || length(var.network.security_group_ids) > 0

  # Runs at every start. SageMaker allows a lifecycle script 5 minutes, so slow steps continue in the background.
  prepare = var.repository.uri == "" ? "" : templatefile("${path.module}/scripts/prepare.sh", {
    directory = var.repository.directory
    internet  = var.internet_access
    uri       = var.repository.uri
    variables = var.repository.variables
  })
}
