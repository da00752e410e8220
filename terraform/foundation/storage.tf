# Data sets, source bundles, models and job results of this environment.
#
# The bucket policy refuses objects that are not encrypted with a key of this account. The roles' policies name the key:
# its ID is unknown at the first plan, and the bucket policy must be known then. Checkpoints may ask for KMS without
# naming a key, because SageMaker takes none for them.

module "storage" {
  source        = "../modules/storage"
  bucket        = local.bucket
  kms_key_arn   = module.key.arn
  policy        = templatefile("${local.policies}/resources/bucket.json", local.policy_values)
  force_destroy = var.storage.force_destroy
  expiry        = var.storage.expiry
}
