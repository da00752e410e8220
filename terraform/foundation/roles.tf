# One role per actor; the inference function's belongs to the endpoint it calls, in serving.

locals {
  policies         = "${path.module}/../../policies"
  trusts_sagemaker = templatefile("${local.policies}/trust/sagemaker.json", local.policy_values)

  # In the private network, SageMaker puts the instances' interfaces into it with their role.
  in_network = var.network.enabled ? {
    network-interfaces = templatefile("${local.policies}/network_interfaces.json", local.policy_values)
  } : {}
}

module "training_role" {
  source           = "../modules/role"
  boundary_arn     = var.boundary_arn
  name             = "${local.prefix}-training"
  description      = "Runs training jobs, a tuning job's trials included"
  trust_policy     = local.trusts_sagemaker
  policy           = templatefile("${local.policies}/training.json", local.policy_values)
  further_policies = local.in_network
}

# A tuning job's trials run as the training role: this one is for whoever submits jobs.
module "tuning_role" {
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = "${local.prefix}-tuning"
  description  = "Submits tuning and training jobs, and follows them"
  trust_policy = templatefile("${local.policies}/trust/account.json", local.policy_values)
  policy       = templatefile("${local.policies}/tuning.json", local.policy_values)
}

module "endpoint_role" {
  source           = "../modules/role"
  boundary_arn     = var.boundary_arn
  name             = "${local.prefix}-endpoint"
  description      = "Serves models on endpoints"
  trust_policy     = local.trusts_sagemaker
  policy           = templatefile("${local.policies}/endpoint.json", local.policy_values)
  further_policies = local.in_network
}

# EC2 sends no source account or ARN when it assumes an instance's role; a role cannot be passed across accounts.
module "ec2_host_role" {
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = "${local.prefix}-ec2-host"
  description  = "Trains on an EC2 host"
  trust_policy = templatefile("${local.policies}/trust/ec2.json", local.policy_values)
  policy       = templatefile("${local.policies}/ec2_host.json", local.policy_values)
}

resource "aws_iam_instance_profile" "ec2_host" {
  name = module.ec2_host_role.name
  role = module.ec2_host_role.name
}
