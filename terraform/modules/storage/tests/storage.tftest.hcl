# The storage module by itself.

mock_provider "aws" {}

variables {
  bucket      = "image-classifier-dev-123456789012-eu-west-1"
  kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  policy      = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "bucket_is_private_encrypted_and_versioned" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "Every kind of public access must be blocked."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs must be off."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Versioning must be on."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule : (
        rule.bucket_key_enabled
        && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
        && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
      )
    ])
    error_message = "Objects must be encrypted with the given key, through a bucket key."
  }

  assert {
    condition     = aws_s3_bucket.this.force_destroy == false
    error_message = "A bucket with objects must not be destroyed by default."
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 1
    error_message = "Old versions must expire by default."
  }
}

run "expiry_off" {
  command = plan

  variables {
    expiry = { enabled = false }
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0
    error_message = "There must be no lifecycle rule."
  }
}

run "refuses_zero_days_a_name_with_capitals_and_a_policy_that_is_no_json" {
  command = plan

  variables {
    expiry = { checkpoint_days = 0 }
    bucket = "Image-Classifier"
    policy = "allow everything"
  }

  expect_failures = [var.expiry, var.bucket, var.policy]
}
