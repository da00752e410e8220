# One customer-managed key with its alias.

resource "aws_kms_key" "this" {
  description             = "Encrypts the data of ${var.alias}"
  policy                  = var.policy
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.alias}"
  target_key_id = aws_kms_key.this.key_id
}
