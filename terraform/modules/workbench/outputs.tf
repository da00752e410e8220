output "kind" {
  description = "studio or notebook."
  value       = var.kind
}

output "name" {
  description = "Name of the user profile and space, or of the notebook instance, once it exists."
  value       = var.name
  depends_on  = [aws_sagemaker_notebook_instance.this, aws_sagemaker_space.this]
}

output "instance_type" {
  description = "SageMaker instance type of JupyterLab or of the notebook instance."
  value       = var.instance_type
}

output "internet_access" {
  description = "Whether it runs in a SageMaker-managed network with internet access."
  value       = var.internet_access
}

output "repository_uri" {
  description = "S3 URI of the repository that is unpacked; empty: none."
  value       = var.repository.uri
}

output "domain_id" {
  description = "ID of the Studio domain, known after the apply; null for a notebook instance."
  value       = one(aws_sagemaker_domain.this[*].id)
}

output "file_system_id" {
  description = "ID of the domain's EFS file system; null for a notebook instance."
  value       = one(aws_sagemaker_domain.this[*].home_efs_file_system_id)
}

output "url" {
  description = "URL of the domain or notebook instance; users need a presigned URL."
  value       = local.studio ? aws_sagemaker_domain.this[0].url : aws_sagemaker_notebook_instance.this[0].url
}
