# The function in front of the endpoint; its role may call no other endpoint. An asynchronous endpoint has no function: its
# clients put requests into S3.

locals {
  function_count = module.endpoint.kind == "asynchronous" ? 0 : 1

  # A serverless endpoint takes requests of up to 4 MB.
  max_image_bytes = module.endpoint.kind == "serverless" ? min(var.lambda.max_image_bytes, 4194304) : var.lambda.max_image_bytes

  policies = "${path.module}/../../policies"

  # Values for the documents in policies/.
  policy_values = {
    account_id    = local.account_id
    bucket_arn    = local.foundation.bucket_arn
    endpoint_arn  = module.endpoint.arn
    function_arn  = local.function_arn
    function_name = local.function_name
    image_prefix  = var.lambda.image_prefix
    kms_key_arn   = local.foundation.kms_key_arn
    partition     = local.partition
    region        = var.region
    queue_arn     = local.queue_arn
  }
}

module "inference_function_role" {
  count        = local.function_count
  source       = "../modules/role"
  boundary_arn = var.boundary_arn
  name         = local.function_name
  description  = "Runs the inference function of ${var.endpoint_name}"
  trust_policy = templatefile("${local.policies}/trust/lambda.json", local.policy_values)
  policy       = templatefile("${local.policies}/roles/inference_function.json", local.policy_values)

  further_policies = merge(
    var.lambda.dead_letter_queue ? { dead-letters = templatefile("${local.policies}/roles/dead_letters.json", local.policy_values) } : {},
    var.lambda.tracing ? { traces = templatefile("${local.policies}/roles/traces.json", local.policy_values) } : {},
  )
}

module "inference_function" {
  count                   = local.function_count
  source                  = "../modules/inference_function"
  name                    = local.function_name
  role_arn                = module.inference_function_role[0].arn
  kms_key_arn             = local.foundation.kms_key_arn
  memory_mb               = var.lambda.memory_mb
  timeout_seconds         = var.lambda.timeout_seconds
  provisioned_concurrency = var.lambda.provisioned_concurrency
  schedules               = var.lambda.schedules
  reserved_concurrency    = var.lambda.reserved_concurrency
  dead_letter_queue       = var.lambda.dead_letter_queue
  tracing                 = var.lambda.tracing
  access                  = var.lambda.access
  log_retention_days      = var.logs.retention_days

  package = {
    zip_path     = var.lambda.zip_path
    architecture = var.lambda.architecture
  }

  environment = {
    ENDPOINT_NAME     = var.endpoint_name
    IMAGE_BUCKET      = local.foundation.bucket
    IMAGE_PREFIX      = var.lambda.image_prefix
    MAX_IMAGE_BYTES   = local.max_image_bytes
    ALLOWED_URL_HOSTS = join(",", var.lambda.allowed_url_hosts)
    LOG_LEVEL         = var.lambda.log_level
  }
}
