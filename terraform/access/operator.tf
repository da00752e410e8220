# The operator's role: applies the stacks, manages data and models, calls the endpoint. Used through an AWS profile.

module "operator_role" {
  source              = "../modules/role"
  name                = "${local.prefix}-operator"
  path                = local.path
  description         = "Works in ${local.prefix}"
  trust_policy        = templatefile("${local.policies}/trust/account.json", local.policy_values)
  policy              = templatefile("${local.policies}/roles/operator.json", local.policy_values)
  managed_policy_arns = local.stack_policy_arns
}
