# A generation is one configuration with its models: immutable, so named by what it holds. The one that serves and the
# one before stay beside a new one: an update that is rolled back, which Terraform takes for a success
# (terraform-provider-aws#46663), falls back on something that is still there.

locals {
  # What a model is, beside its package.
  network_isolation = var.hosting.serverless == null # serverless inference refuses it
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

  # Types with local NVMe disks encrypt these in hardware, and SageMaker refuses a key for them.
  instance_type = try(coalesce(try(var.hosting.instance.type, null), try(var.hosting.asynchronous.instance_type, null)), null)
  has_nvme      = can(regex("^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g[67]e?|gr6|p5[a-z]*|p6e?-[a-z0-9]+|trn[12][a-z]*)\\.", local.instance_type))
  has_volume    = local.instance_type != null && !local.has_nvme

  # A new configuration starts with as many instances as serve now: UpdateEndpoint would go back to the first count, and
  # lose what autoscaling has added (terraform-provider-aws#48990).
  initial_count = try(coalesce(try(var.hosting.instance.initial_count, null), try(var.hosting.asynchronous.initial_count, null)), null)
  scales        = var.autoscaling.enabled && local.instance_type != null
  least         = max(1, var.autoscaling.min_capacity)
  most          = max(var.autoscaling.max_capacity, [for action in var.autoscaling.schedules : coalesce(action.max_capacity, 0)]...)

  second_share = try(var.variants.second.traffic_percentage, 0)
  shares       = merge({ AllTraffic = 100 - local.second_share }, local.second_share > 0 ? { Second = local.second_share } : {})
  instance_counts = {
    for name, share in local.shares : name => (
      local.scales
      ? min(local.most, max(local.least, lookup(var.deployed.instance_counts, name, local.initial_count)))
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
  # The main variant's weight is 100 then, so that its own is a percentage of the requests.
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

  # What serves is left alone while it differs in nothing but the counts that autoscaling sets.
  known = concat([merge(local.wanted, { key = substr(sha256(jsonencode(local.wanted)), 0, 8) })], var.deployed.generations)
  shapes = [
    for generation in local.known : jsonencode(merge(generation, {
      key = null
      variants = [
        for variant in generation.variants :
        merge(variant, local.scales && !variant.shadow ? { instance_count = null } : {})
      ]
    }))
  ]
  live_place = try(index(var.deployed.generations[*].key, var.deployed.live), -1)
  current    = local.known[local.live_place >= 0 && try(local.shapes[local.live_place + 1] == local.shapes[0], false) ? local.live_place + 1 : 0]

  # What came after the one that serves has failed. Of the others two are kept: the one that serves, the one before.
  older = [
    for place, generation in var.deployed.generations : generation
    if place >= local.live_place && generation.key != local.current.key
  ]
  generations = concat([local.current], slice(local.older, 0, min(2, length(local.older))))

  models = merge([
    for generation in local.generations : {
      for variant in generation.variants : variant.model_name => {
        model_package_arn  = variant.model_package_arn
        execution_role_arn = generation.execution_role_arn
        network_isolation  = generation.network_isolation
        network            = generation.network
      }
    }
  ]...)
}
