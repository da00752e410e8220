# Datasets, source bundles, models and hand-overs of this environment.

# Its policy refuses what would not be encrypted with a key of this account. Which of them is for the roles' policies
# to say: the key's id is known only after the first apply, and a policy must be known when it is planned. Checkpoints
# may ask for KMS without naming a key, as SageMaker takes none for them.

module "storage" {
  source        = "../modules/storage"
  bucket        = local.bucket
  kms_key_arn   = module.key.arn
  policy        = templatefile("${local.policies}/resources/bucket.json", local.policy_values)
  force_destroy = var.storage.force_destroy
  expiry        = var.storage.expiry
}
