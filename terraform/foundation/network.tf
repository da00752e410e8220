# The private network of training jobs and endpoints. Optional: its interface endpoints bill by the hour.

locals {
  flow_log_group = "/${var.project}/${var.environment}/flow-logs"

  # Services that containers, the training host and notebooks call, with the prefix of their IAM actions. Session Manager
  # needs ssm and ssmmessages: since 3.3.40 its agent works without ec2messages.
  private_services = {
    "ecr.api"           = "ecr"
    "ecr.dkr"           = "ecr"
    "kms"               = "kms"
    "lambda"            = "lambda"
    "logs"              = "logs"
    "monitoring"        = "cloudwatch"
    "sagemaker.api"     = "sagemaker"
    "sagemaker.runtime" = "sagemaker"
    "ssm"               = "ssm"
    "ssmmessages"       = "ssmmessages"
    "sts"               = "sts"
  }
  private_statements = jsondecode(templatefile("${local.policies}/resources/private_services.json", local.policy_values)).Statement

  # Each endpoint gets the document's statements for its service.
  endpoint_policies = {
    for service, prefix in local.private_services : service => jsonencode({
      Version   = "2012-10-17"
      Statement = [for s in local.private_statements : s if startswith(flatten([s.Action])[0], "${prefix}:")]
    })
  }
}

module "network" {
  count              = var.network.enabled ? 1 : 0
  source             = "../modules/network"
  name               = local.prefix
  cidr               = var.network.cidr
  availability_zones = var.network.availability_zones
  zone_count         = var.network.zone_count
  s3_endpoint_policy = templatefile("${local.policies}/resources/private_s3.json", local.policy_values)

  interface_endpoint_policies = local.endpoint_policies

  flow_logs = {
    enabled        = var.network.flow_logs
    log_group_name = local.flow_log_group
    role_arn       = var.network.flow_logs ? module.flow_logs_role[0].arn : ""
    kms_key_arn    = module.key.arn
    retention_days = var.logs.retention_days
  }
}

module "flow_logs_role" {
  count        = var.network.enabled && var.network.flow_logs ? 1 : 0
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = "${local.prefix}-flow-logs"
  description  = "Writes the network's flow logs"
  trust_policy = templatefile("${local.policies}/trust/vpc_flow_logs.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/flow_logs.json", local.policy_values)
}
