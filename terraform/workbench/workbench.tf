# Studio or a notebook instance, with a role of its own.

module "workbench_role" {
  count        = var.workbench.enabled ? 1 : 0
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = local.workbench_name
  description  = "Works on the pipeline in notebooks"
  trust_policy = templatefile("${local.policies}/trust/sagemaker.json", local.policy_values)
  policy       = templatefile("${local.policies}/workbench.json", local.policy_values)

  # SageMaker puts the workbench's interfaces into the private network with its role.
  further_policies = var.workbench.internet_access ? {} : {
    network-interfaces = templatefile("${local.policies}/network_interfaces.json", local.policy_values)
  }
}

module "workbench" {
  count           = var.workbench.enabled ? 1 : 0
  source          = "../modules/workbench"
  name            = local.workbench_name
  kind            = var.workbench.kind
  instance_type   = var.workbench.instance_type
  volume_size_gb  = var.workbench.volume_size_gb
  idle_minutes    = var.workbench.idle_minutes
  internet_access = var.workbench.internet_access
  role_arn        = module.workbench_role[0].arn
  kms_key_arn     = local.foundation.kms_key_arn

  repository = {
    uri       = var.workbench.repository_uri
    directory = var.project
    variables = { INVOKE_ENV = var.environment }
  }

  network = {
    vpc_id             = local.vpc_id
    subnet_ids         = local.subnet_ids
    security_group_ids = try(local.private.training_security_group_ids, [])
  }
}
