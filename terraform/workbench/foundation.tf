# The foundation stack's outputs.

data "aws_ssm_parameter" "foundation" {
  name = "/${var.project}/${var.environment}/foundation"

  lifecycle {
    postcondition {
      condition     = module.workbench.internet_access || jsondecode(self.insecure_value).network != null
      error_message = "Without internet_access the workbench reaches AWS through the foundation's private network, and there is none. Set network.enabled of stack foundation, or internet_access."
    }
  }
}

locals {
  foundation = jsondecode(data.aws_ssm_parameter.foundation.insecure_value)
}
