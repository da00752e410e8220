# SageMaker Studio or a notebook instance, with its own role.

module "workbench_role" {
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = local.name
  description  = "Works on the pipeline in notebooks"
  trust_policy = templatefile("${local.policies}/trust/sagemaker.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/workbench.json", local.policy_values)

  # SageMaker creates the workbench's network interfaces in the private network with this role.
  further_policies = module.workbench.internet_access ? {} : {
    network-interfaces = templatefile("${local.policies}/roles/network_interfaces.json", local.policy_values)
  }
}

module "workbench" {
  source          = "../modules/workbench"
  name            = local.name
  kind            = var.workbench.kind
  instance_type   = var.workbench.instance_type
  volume_size_gb  = var.workbench.volume_size_gb
  idle_minutes    = var.workbench.idle_minutes
  internet_access = var.workbench.internet_access
  role_arn        = module.workbench_role.arn
  kms_key_arn     = local.foundation.kms_key_arn

  repository = {
    uri       = var.workbench.repository_uri
    directory = var.project
    variables = { INVOKE_ENV = var.environment }
  }

  network = {
    vpc_id             = try(local.private.vpc_id, one(data.aws_vpc.default[*].id))
    subnet_ids         = try(local.private.subnet_ids, sort(flatten(data.aws_subnets.default[*].ids)))
    security_group_ids = try(local.private.training_security_group_ids, [])
  }
}
