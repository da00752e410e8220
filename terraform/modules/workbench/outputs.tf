output "kind" {
  description = "studio or notebook."
  value       = var.kind
}

output "name" {
  description = "Name of the domain's user and space, or of the notebook instance, once it is there."
  value       = var.name
  depends_on  = [aws_sagemaker_notebook_instance.this, aws_sagemaker_space.this]
}

output "instance_type" {
  description = "SageMaker instance type of JupyterLab or of the notebook instance."
  value       = var.instance_type
}

output "internet_access" {
  description = "Whether it runs in a network of SageMaker's that leads to the internet."
  value       = var.internet_access
}

output "repository_uri" {
  description = "S3 URI of the repository that it unpacks; empty: none."
  value       = var.repository.uri
}

output "domain_id" {
  description = "Id of the Studio domain; null for a notebook instance. SageMaker chooses it, so it is known only after the apply."
  value       = one(aws_sagemaker_domain.this[*].id)
}

output "file_system_id" {
  description = "Id of the domain's EFS file system, which goes with the domain; null for a notebook instance."
  value       = one(aws_sagemaker_domain.this[*].home_efs_file_system_id)
}

output "url" {
  description = "Where it opens for whoever has a presigned URL."
  value       = local.studio ? aws_sagemaker_domain.this[0].url : aws_sagemaker_notebook_instance.this[0].url
}
