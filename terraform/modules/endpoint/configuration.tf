# The endpoint configuration and the models that this deployment asks for. SageMaker cannot change either, so their names
# contain a hash of their content.

locals {
  network_isolation = var.hosting.serverless == null # serverless inference does not support it
  network           = length(var.network.subnet_ids) > 0 ? var.network : null

  model_package_arns = distinct(compact([
    var.model_package_arn,
    try(var.variants.second.model_package_arn, null),
    try(var.variants.shadow.model_package_arn, null),
  ]))
  model_names = {
    for arn in local.model_package_arns : arn => join("-", [var.name, substr(sha256(jsonencode({
      model_package_arn  = arn
      execution_role_arn = var.execution_role_arn
      network_isolation  = local.network_isolation
      network            = local.network
    })), 0, 8)])
  }

  # Types with local NVMe disks encrypt them in hardware, and SageMaker refuses a key.
  instance_type = try(coalesce(try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)), null)
  has_nvme      = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g[67]e?|gr6|p5[a-z]*|p6e?-[a-z0-9]+|trn[12][a-z]*)\\.", local.instance_type))
  has_volume    = local.instance_type != null && !local.has_nvme

  # UpdateEndpoint starts the configuration's instance count and drops what autoscaling has added
  # (terraform-provider-aws#48990), so a new configuration takes the live counts.
  initial_count = try(coalesce(try(var.hosting.instance.initial_count, null), try(var.hosting.asynchronous.initial_count, null)), null)
  scales        = var.autoscaling.enabled && local.instance_type != null
  min_instances = max(1, var.autoscaling.min_capacity)
  max_instances = max(var.autoscaling.max_capacity, [for action in var.autoscaling.schedules : coalesce(action.max_capacity, 0)]...)

  second_share = try(var.variants.second.traffic_percentage, 0)
  shares       = merge({ AllTraffic = 100 - local.second_share }, local.second_share > 0 ? { Second = local.second_share } : {})
  instance_counts = {
    for name, share in local.shares : name => (
      local.scales
      ? min(local.max_instances, max(local.min_instances, lookup(var.deployed.instance_counts, name, local.initial_count)))
      : local.initial_count
    )
  }

  production_variants = [
    for name, share in local.shares : {
      name              = name
      model_name        = local.model_names[name == "AllTraffic" ? var.model_package_arn : var.variants.second.model_package_arn]
      model_package_arn = name == "AllTraffic" ? var.model_package_arn : var.variants.second.model_package_arn
      weight            = share
      shadow            = false
      instance_type     = local.instance_type
      instance_count    = local.instance_counts[name]
      serverless        = var.hosting.serverless
    }
  ]
  # The main variant's weight is 100 next to a shadow variant, so the shadow's weight is a percentage of the requests.
  shadow_variants = [
    for shadow in [var.variants.shadow] : {
      name              = "Shadow"
      model_name        = local.model_names[shadow.model_package_arn]
      model_package_arn = shadow.model_package_arn
      weight            = shadow.sampling_percentage
      shadow            = true
      instance_type     = local.instance_type
      instance_count    = shadow.instance_count
      serverless        = null
    } if shadow != null
  ]

  wanted = {
    execution_role_arn = var.execution_role_arn
    network_isolation  = local.network_isolation
    kms_key_arn        = local.has_volume ? var.kms_key_arn : null
    network            = local.network
    data_capture = !var.data_capture.enabled ? null : {
      uri                 = "s3://${var.bucket}/${trimsuffix(var.data_capture.prefix, "/")}"
      kms_key_arn         = var.kms_key_arn
      sampling_percentage = var.data_capture.sampling_percentage
    }
    asynchronous = var.hosting.asynchronous == null ? null : {
      output_uri                              = "s3://${var.bucket}/${var.hosting.asynchronous.prefix}${var.name}/output"
      failure_uri                             = "s3://${var.bucket}/${var.hosting.asynchronous.prefix}${var.name}/failure"
      kms_key_arn                             = var.kms_key_arn
      max_concurrent_invocations_per_instance = var.hosting.asynchronous.max_concurrent_invocations_per_instance
      success_topic_arn                       = var.hosting.asynchronous.success_topic_arn
      error_topic_arn                         = var.hosting.asynchronous.error_topic_arn
    }
    variants = concat(local.production_variants, local.shadow_variants)
  }
}
