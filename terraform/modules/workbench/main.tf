# Where a person works on the pipeline in notebooks: SageMaker Studio, or one notebook instance. Either goes to sleep
# when nobody uses it.

data "aws_region" "current" {}

locals {
  studio   = var.kind == "studio"
  notebook = var.kind == "notebook"

  # SageMaker's own network takes none.
  security_group_ids = var.internet_access ? null : var.network.security_group_ids
  network_has_group  = var.internet_access || length(var.network.security_group_ids) > 0

  # Runs as whoever starts the application or instance; what takes long goes on in the background.
  prepare = var.repository.uri == "" ? "" : templatefile("${path.module}/scripts/prepare.sh", {
    directory = var.repository.directory
    internet  = var.internet_access
    uri       = var.repository.uri
    variables = var.repository.variables
  })
}
