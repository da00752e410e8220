# One role per actor. The inference function's role is in serving, with the endpoint it calls.

locals {
  policies         = "${path.module}/../../policies"
  trusts_sagemaker = templatefile("${local.policies}/trust/sagemaker.json", local.policy_values)

  # SageMaker creates the instances' network interfaces in the private network with their role.
  in_network = var.network.enabled ? {
    network-interfaces = templatefile("${local.policies}/roles/network_interfaces.json", local.policy_values)
  } : {}
}

module "training_role" {
  source           = "../modules/role"
  boundary_arn     = var.boundary_arn
  name             = "${local.prefix}-training"
  description      = "Runs training jobs, a tuning job's trials included"
  trust_policy     = local.trusts_sagemaker
  policy           = templatefile("${local.policies}/roles/training.json", local.policy_values)
  further_policies = local.in_network
}

module "processing_role" {
  source           = "../modules/role"
  boundary_arn     = var.boundary_arn
  name             = "${local.prefix}-processing"
  description      = "Runs processing jobs, which check and store data sets"
  trust_policy     = local.trusts_sagemaker
  policy           = templatefile("${local.policies}/roles/processing.json", local.policy_values)
  further_policies = local.in_network
}

# For the caller that submits jobs. The trials of a tuning job run with the training role.
module "tuning_role" {
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = "${local.prefix}-tuning"
  description  = "Submits tuning, training and processing jobs, and follows them"
  trust_policy = templatefile("${local.policies}/trust/account.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/tuning.json", local.policy_values)
}

module "endpoint_role" {
  source           = "../modules/role"
  boundary_arn     = var.boundary_arn
  name             = "${local.prefix}-endpoint"
  description      = "Serves models on endpoints"
  trust_policy     = local.trusts_sagemaker
  policy           = templatefile("${local.policies}/roles/endpoint.json", local.policy_values)
  further_policies = local.in_network
}

# EC2 sends no source account or ARN when it assumes a role, so the trust policy has no such condition.
module "ec2_host_role" {
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = "${local.prefix}-ec2-host"
  description  = "Trains on an EC2 host"
  trust_policy = templatefile("${local.policies}/trust/ec2.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/ec2_host.json", local.policy_values)
}

resource "aws_iam_instance_profile" "ec2_host" {
  name = module.ec2_host_role.name
  role = module.ec2_host_role.name
}
