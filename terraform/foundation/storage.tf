# Datasets, source bundles, models and hand-overs of this environment.

module "storage" {
  source        = "../modules/storage"
  bucket        = local.bucket
  kms_key_arn   = module.key.arn
  policy        = templatefile("${local.policies}/resources/bucket.json", local.policy_values)
  force_destroy = var.storage.force_destroy
  expiry        = var.storage.expiry
}
