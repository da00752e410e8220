# Notifications of alarms, failed jobs and the budget. EventBridge sends no source account or ARN to SNS and KMS, so its
# statements in the two policies have no such condition.

module "notifications" {
  source          = "../modules/notifications"
  name            = local.topic
  kms_key_arn     = module.key.arn
  policy          = templatefile("${local.policies}/resources/topic.json", local.policy_values)
  job_name_prefix = "${local.prefix}-"
  emails          = var.notifications.emails
}

module "budget" {
  count       = var.budget.monthly_usd == null ? 0 : 1
  source      = "../modules/budget"
  name        = local.prefix
  monthly_usd = var.budget.monthly_usd
  tag         = { key = "Application", value = local.prefix }
  topic_arn   = module.notifications.topic_arn
}
