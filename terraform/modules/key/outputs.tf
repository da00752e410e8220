output "arn" {
  description = "ARN of the key. KMS chooses the key's id, so it is known only after the first apply."
  value       = aws_kms_key.this.arn
}

output "alias" {
  description = "Alias of the key, with alias/ in front."
  value       = "alias/${var.alias}"
  depends_on  = [aws_kms_alias.this]
}
