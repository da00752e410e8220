# The foundation stack's outputs.

data "aws_ssm_parameter" "foundation" {
  name = "/${var.project}/${var.environment}/foundation"
}

locals {
  foundation = jsondecode(data.aws_ssm_parameter.foundation.insecure_value)
}
