# One private bucket: encrypted, versioned, owner-only.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:access is recorded by CloudTrail where an account wants that; a log bucket would need the same again
  #checkov:skip=CKV_AWS_144:data sets come from elsewhere and models can be trained again; a copy in a second region costs more than that
  #checkov:skip=CKV2_AWS_61:expiry is on unless an environment turns it off, as the rehearsal does to be quick
  #checkov:skip=CKV2_AWS_62:nothing listens to objects; the jobs are told of them by their hand-overs
  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = var.policy

  # S3 refuses the two at once: "conflicting conditional operation".
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# The provider believes these rules after reading them ten times, 5 s apart: 55 s at every change.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = var.expiry.enabled ? 1 : 0
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "noncurrent-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.expiry.noncurrent_version_days
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  rule {
    id     = "checkpoints"
    status = "Enabled"

    filter {
      prefix = "checkpoints/"
    }

    expiration {
      days = var.expiry.checkpoint_days
    }
  }

  rule {
    id     = "incomplete-uploads"
    status = "Enabled"
    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = var.expiry.incomplete_upload_days
    }
  }

  # Rules on old versions need versioning.
  depends_on = [aws_s3_bucket_versioning.this]
}
