"""SageMaker Studio and notebook instances: each runs a JupyterLab with the permissions of its role."""
