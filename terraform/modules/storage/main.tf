# One private bucket: encrypted, versioned, owner-only.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:CloudTrail can record access; a bucket for access logs would itself need one
  #checkov:skip=CKV_AWS_144:data sets come from elsewhere and models can be trained again; a copy in a second region would cost more
  #checkov:skip=CKV2_AWS_61:expiry is on by default; the local environment turns it off to apply faster
  #checkov:skip=CKV2_AWS_62:no consumer of object events; jobs read the results of earlier jobs
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

  # S3 refuses both at the same time: "conflicting conditional operation".
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# The provider reads these rules ten times, 5 s apart, before it accepts them: 55 s at every change.
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
    id     = "features"
    status = "Enabled"

    filter {
      prefix = "features/"
    }

    expiration {
      days = var.expiry.feature_days
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

  # Rules for noncurrent versions need versioning.
  depends_on = [aws_s3_bucket_versioning.this]
}
