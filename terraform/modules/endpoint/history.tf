# Which endpoint configurations are kept, and which one the endpoint gets. README.md has a worked example.
#
# SageMaker reports a rolled-back update as InService, and Terraform takes that for success (terraform-provider-aws#46663).
# The endpoint then still runs an older configuration, so the live one and the one before it must not be deleted.

locals {
  # Newest first: the wanted configuration, then those that the last deployment kept.
  candidates = concat(
    [merge(local.wanted, { key = substr(sha256(jsonencode(local.wanted)), 0, 8) })],
    var.deployed.kept_configurations,
  )

  # For comparison: without the key, and without the instance counts that autoscaling changes.
  comparable = [
    for configuration in local.candidates : jsonencode(merge(configuration, {
      key = null
      variants = [
        for variant in configuration.variants :
        merge(variant, local.scales && !variant.shadow ? { instance_count = null } : {})
      ]
    }))
  ]

  # Index of the live configuration among those of the last deployment; -1 if it is not one of them.
  live_index = try(index(var.deployed.kept_configurations[*].key, var.deployed.live), -1)

  # A wanted configuration that equals the live one is no change: the live one stays, so a plan after a scale-out is empty.
  unchanged = local.live_index >= 0 && try(local.comparable[local.live_index + 1] == local.comparable[0], false)
  current   = local.candidates[local.unchanged ? local.live_index + 1 : 0]

  # Configurations newer than the live one failed: they go. Two of the others stay: the live one and the one before it.
  older = [
    for position, configuration in var.deployed.kept_configurations : configuration
    if position >= local.live_index && configuration.key != local.current.key
  ]
  kept_configurations = concat([local.current], slice(local.older, 0, min(2, length(local.older))))

  models = merge([
    for configuration in local.kept_configurations : {
      for variant in configuration.variants : variant.model_name => {
        model_package_arn  = variant.model_package_arn
        execution_role_arn = configuration.execution_role_arn
        network_isolation  = configuration.network_isolation
        network            = configuration.network
      }
    }
  ]...)
}
