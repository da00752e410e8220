# Every trained model is a version in this group.
resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = local.prefix
  model_package_group_description = "Models of ${local.prefix}"
}
